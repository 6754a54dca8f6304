from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.sources.exposures import read_environment, read_environment_settings

MAPPING = """
exposures = ["air.csv"]
published = "published"
[measures.pm25]
unit = "ug/m3"
[measures.deprivation]
unit = "1"
lasts_days = 3650
"""
AIR = """place,date,measure,value,published
N1,2020-01-01,pm25,12,2020-01-03
N1,2020-02-01,pm25,15,2020-02-03
N1,2015-01-01,deprivation,0.7,2016-01-01
N1,2020-03-01,pm25,high,2020-03-02
N1,2020-03-01,noise,50,2020-03-02
,2020-03-01,pm25,1,2020-03-02
N1,then,pm25,1,2020-03-02
"""
LIVED = """subject,place,from,to
7,N1,2020-01-15,
8,N1,2019-01-01,2020-01-15
9,N2,2019-01-01,
10,N1,once,
,N1,2020-01-01,
"""


@pytest.fixture(name="folder")
def files(tmp_path: Path) -> Path:
    (tmp_path / "map.toml").write_text(MAPPING)
    (tmp_path / "air.csv").write_text(AIR)
    (tmp_path / "lived.csv").write_text(LIVED)
    return tmp_path


def test_an_exposure_is_known_when_published(folder: Path) -> None:
    mapping = read_environment_settings(folder / "map.toml")
    batch = combine_batches(read_environment([folder / "lived.csv"], mapping))
    events = [
        (e["subject_id"], str(e["time"])[:10], e["code"], round(e["numeric_value"], 3), e["unit"])
        for e in batch.events.to_pylist()
    ]
    assert events == [
        (7, "2020-02-03", "ENVIRONMENT//pm25", 15.0, "ug/m3"),
        (7, "2020-01-15", "ENVIRONMENT//deprivation", 0.7, "1"),
        (8, "2020-01-03", "ENVIRONMENT//pm25", 12.0, "ug/m3"),
        (8, "2019-01-01", "ENVIRONMENT//deprivation", 0.7, "1"),
    ]
    rejected = [
        (Path(r["source"]).name, r["row"], r["field"], r["reason"])
        for r in batch.rejected.to_pylist()
    ]
    assert rejected == [
        ("air.csv", 4, "value", "is not a number"),
        ("air.csv", 5, "measure", "is not a measure of the mapping"),
        ("air.csv", 6, "place", "names no place"),
        ("air.csv", 7, "date", "is not a date"),
        ("lived.csv", 3, "place", "no exposure of this place and time"),
        ("lived.csv", 4, "from", "is not a date"),
        ("lived.csv", 5, "subject", "names no subject"),
    ]
    assert batch.rows == 9


def test_a_value_is_dated_some_days_later_if_the_table_has_no_publication_date(
    folder: Path,
) -> None:
    text = MAPPING.replace('published = "published"', "").replace(
        'unit = "ug/m3"', 'unit = "ug/m3"\npublished_after_days = 1.5'
    )
    (folder / "map.toml").write_text(text)
    mapping = read_environment_settings(folder / "map.toml")
    batch = combine_batches(read_environment([folder / "lived.csv"], mapping))
    assert str(batch.events["time"].to_pylist()[0]) == "2020-02-02 12:00:00"


def test_nothing_is_known_before_it_is_measured(folder: Path) -> None:
    text = MAPPING.replace('unit = "ug/m3"', 'unit = "ug/m3"\npublished_after_days = -400')
    (folder / "map.toml").write_text(text)
    with pytest.raises(
        RecordError, match=r"measures: pm25: published_after_days and lasts_days ar"
    ):
        read_environment_settings(folder / "map.toml")
    (folder / "map.toml").write_text(MAPPING)
    (folder / "air.csv").write_text(AIR.replace("15,2020-02-03", "15,2019-02-03"))
    mapping = read_environment_settings(folder / "map.toml")
    batch = combine_batches(read_environment([folder / "lived.csv"], mapping))
    assert str(batch.events["time"].to_pylist()[0])[:10] == "2020-02-01"


def test_a_missing_place_measure_or_column_is_named(folder: Path) -> None:
    (folder / "map.toml").write_text(MAPPING.replace("unit", "units", 1))
    with pytest.raises(RecordError, match=r"pm25: unknown key 'units'; did you mean 'unit'\?"):
        read_environment_settings(folder / "map.toml")
    (folder / "map.toml").write_text(MAPPING.replace("air.csv", "smog.csv"))
    mapping = read_environment_settings(folder / "map.toml")
    with pytest.raises(RecordError, match=r"smog\.csv: there is no such file or folder"):
        list(read_environment([folder / "lived.csv"], mapping))


def test_places_that_a_spreadsheet_made_numbers_are_the_same_places(folder: Path) -> None:
    (folder / "air.csv").write_text(AIR.replace("N1", "10115"))
    lived = {"subject": [7.0], "place": [10115.0], "from": ["2020-01-15"], "to": [""]}
    pq.write_table(pa.table(lived), folder / "lived.parquet")
    mapping = read_environment_settings(folder / "map.toml")
    batch = combine_batches(read_environment([folder / "lived.parquet"], mapping))
    assert batch.events["code"].to_pylist() == ["ENVIRONMENT//pm25", "ENVIRONMENT//deprivation"]
