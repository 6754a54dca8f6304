import itertools
import random
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings

from posology.errors import RecordError
from posology.records.io.engine import Engine, connect, names_master
from posology.records.pipeline.ingest import IngestSettings, ingest
from tests.builders.raw_events import YEAR0, as_set, events_of, raw_source, raw_table, rows

TIMES = [None, YEAR0, YEAR0.replace(year=1801), YEAR0.replace(year=2020), YEAR0.replace(year=1969)]
CODES = ["MEDS_BIRTH", "MEDS_DEATH", " loinc//29463-7", "LOINC//29463-7", "DRUG//x//given", "é", ""]
NUMBERS = [None, 0.0, -1.5, 70.0, 1e30, float("nan"), float("inf")]
TEXTS = [None, "<5", "1,200", "02139", "1,2; route IV", "1,200; route IV", "5 mg", ">= 7.5", "é\n"]
TEXTS += ["", "\\N", "\\.", 'said "5", twice']  # what COPY treats in its own way
UNITS = [None, "kg", "lbs", "mg", "g", "mmol/L", ""]


def tricky_rows(count=400):
    chosen = random.Random(5)
    every = list(itertools.product(TIMES, CODES, NUMBERS, TEXTS, UNITS))
    return [
        (chosen.choice([None, -5, 1, 2, 3, 2**62]), *chosen.choice(every)) for _ in range(count)
    ]


def same_as_duckdb(tmp_path, engine):
    source = raw_source(tmp_path / "a.parquet", raw_table(tricky_rows()))
    more = raw_source(tmp_path / "b.parquet", raw_table(tricky_rows(500)[400:]))
    for name in ("duckdb", engine):
        ingest_settings = IngestSettings(engine=Engine(name, "1GB"), shards=2)
        out = tmp_path / name.split(":")[0]
        first = ingest([source], out, ingest_settings)
        second = ingest([more], out, ingest_settings)
        yield first, second, as_set(events_of(out)), as_set(pq.read_table(out / "rejected.parquet"))


def test_postgresql_gives_the_same_events(tmp_path, postgresql):
    duckdb, other = same_as_duckdb(tmp_path, postgresql)
    assert other == duckdb


@settings(max_examples=4, deadline=None, phases=(Phase.generate,))
@given(rows, rows)
def test_any_rows_give_the_same_events_on_postgresql(postgresql, first, later):
    results = []
    for name in ("duckdb", postgresql):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            ingest_settings = IngestSettings(engine=Engine(name, "1GB"), shards=2, report=False)
            for number, part in enumerate((first, later)):
                source = raw_source(folder / f"{number}.parquet", raw_table(part))
                ingest([replace(source, settings=str(number))], folder / "out", ingest_settings)
            rejected = pq.read_table(folder / "out" / "rejected.parquet")
            results.append((as_set(events_of(folder / "out")), as_set(rejected)))
    assert results[0] == results[1]


def test_spark_gives_the_same_events(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyspark", reason="no Spark: pip install 'posology[spark]'")
        duckdb, other = same_as_duckdb(tmp_path, "spark")
    assert other == duckdb


def test_spark_accepts_a_number_of_a_code_without_an_upper_limit(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pyspark", reason="no Spark: pip install 'posology[spark]'")
        pain = (1, YEAR0, "OBSERVATION//LOINC//72514-3", 3.0, None, None)
        haemoglobin = (1, YEAR0, "MEASUREMENT//LOINC//718-7", 13.0, None, "g/dL")
        source = raw_source(tmp_path / "a.parquet", raw_table([pain, haemoglobin]))
        spark = IngestSettings(engine=Engine("spark", "1GB"), shards=1, report=False)
        counts = ingest([source], tmp_path / "out", spark)
    assert (counts.events, counts.rejected) == (2, {})


def test_an_unreachable_database_is_an_error():
    pytest.importorskip("psycopg", reason="no psycopg: pip install 'posology[postgres]'")
    with pytest.raises(RecordError, match="cannot connect to the database: "):
        connect(Engine("postgresql://nobody@127.0.0.1:1/none"))


def test_spark_goes_where_its_own_settings_point(tmp_path):
    assert not names_master({"PYSPARK_SUBMIT_ARGS": "--conf spark.ui.enabled=false pyspark-shell"})
    assert not names_master({"SPARK_CONF_DIR": str(tmp_path)})
    assert names_master({"PYSPARK_SUBMIT_ARGS": "--master spark://host:7077 pyspark-shell"})
    assert names_master({"PYSPARK_GATEWAY_PORT": "4040"}), "by spark-submit"
    (tmp_path / "conf").mkdir()
    defaults = tmp_path / "conf" / "spark-defaults.conf"
    defaults.write_text("# spark.master local\n")
    assert not names_master({"SPARK_HOME": str(tmp_path)})
    defaults.write_text("spark.master yarn\n")
    assert names_master({"SPARK_HOME": str(tmp_path)})


def test_a_folder_with_an_apostrophe_holds_what_memory_does_not(tmp_path):
    spill = tmp_path / "o'brien [ward]"
    con = connect(Engine(spill=spill))
    ((found,),) = con.raw_sql("SELECT current_setting('temp_directory')").fetchall()
    assert Path(found) == spill
