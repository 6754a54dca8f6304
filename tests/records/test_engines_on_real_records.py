"""Every engine gives the same events, rejections and counts of real records as DuckDB.

Each test skips, with its reason, where its records or its engine are not on this machine.
"""

import importlib.util
import shutil
import warnings
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology.records.io.engine import Engine
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.pipeline.staging import Source
from posology.records.sources.registry import make_sources
from tests.builders.raw_events import as_set, events_of

EXAMPLES = Path(__file__).parents[2] / "examples" / "ingest"
MAPPED = {
    "mimic_iii_demo": "mimic_iii.toml",
    "eicu_demo_subset": "eicu.toml",
}
ROWS = 4_000
"""First rows of the larger inputs, so that each test takes seconds."""


def sources_of(name: str, shared: Path, tmp_path: Path) -> list[Source]:
    """The sources of one real input; skips if its files are absent."""
    folder = shared / "data" / "records" / name
    if not folder.exists():
        pytest.skip(f"no {folder} here")
    if name == "mimic_iv_demo_meds":
        first = pq.read_table(folder / "mimic_iv_demo_meds_events.parquet").slice(0, ROWS)
        pq.write_table(first, tmp_path / "events.parquet")
        (tmp_path / "columns.toml").write_text('numeric_value = "value"')
        return make_sources("meds", [tmp_path / "events.parquet", tmp_path / "columns.toml"])
    if name in MAPPED:
        for path in folder.iterdir():
            (tmp_path / path.name).symlink_to(path)
        shutil.copy(EXAMPLES / MAPPED[name], tmp_path / MAPPED[name])
        return make_sources("table", [tmp_path / MAPPED[name]])
    return make_sources("omop", [str(folder / "Synthea27Nj_5.4.zip")])


def ingested(sources: list[Source], out: Path, engine: str) -> tuple:
    settings = IngestSettings(engine=Engine(engine, "1GB"), shards=2, report=False)
    counts = ingest(sources, out, settings)
    rejected = pq.read_table(out / "rejected.parquet")
    return counts, as_set(events_of(out)), as_set(rejected)


REAL = ("synthea27nj", "mimic_iii_demo", "eicu_demo_subset", "mimic_iv_demo_meds")


@pytest.mark.parametrize("name", REAL)
def test_spark_gives_the_same_of_real_records(name: str, shared: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("no Spark: pip install 'posology[spark]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sources = sources_of(name, shared, tmp_path)
        assert ingested(sources, tmp_path / "spark", "spark") == ingested(
            sources, tmp_path / "duckdb", "duckdb"
        )


@pytest.mark.parametrize("name", REAL)
def test_postgresql_gives_the_same_of_real_records(
    name: str, shared: Path, tmp_path: Path, postgresql: str
) -> None:
    sources = sources_of(name, shared, tmp_path)
    assert ingested(sources, tmp_path / "postgresql", postgresql) == ingested(
        sources, tmp_path / "duckdb", "duckdb"
    )
