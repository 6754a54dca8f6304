"""One patient, written 000017 in one table and 17 in another, is noticed."""

from pathlib import Path

import duckdb
import pytest

from posology.records.io.subject_ids import to_subject_id
from posology.records.pipeline.padded_ids import find_padded_ids
from posology.workflows.ingest import ingest


@pytest.mark.parametrize(
    ("texts", "twice"),
    [
        (["17", "000017", "18", "000018", "19"], 2),
        (["17", "18", "anna", "B-0017"], 0),
        (["000017", "000018"], 0),
        ([], 0),
    ],
)
def test_numbers_with_and_without_zeros(texts: list[str], twice: int) -> None:
    duck = duckdb.connect()
    duck.execute("CREATE TABLE events (subject_id BIGINT)")
    for text in texts:
        duck.execute("INSERT INTO events VALUES (?)", [to_subject_id(text)])
    found = find_padded_ids(duck)
    assert len(found) == bool(twice)
    assert all(f"{twice} are there a second time, with leading zeros" in text for text in found)


def test_an_ingest_says_it_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n007,1\n008,2\n")
    (tmp_path / "b.csv").write_text("id,x\n7,3\n9,4\n")
    for name in "ab":
        (tmp_path / f"{name}.toml").write_text(
            f'file = "{name}.csv"\nsubject = "id"\n[[event]]\ncode = "X"\nvalue = "x"\n'
        )
    sources = {"table": [tmp_path / "a.toml", tmp_path / "b.toml"]}
    summary = ingest(sources, tmp_path / "out").summary()
    expected = (
        "Check the data: of 2 patients with a number that were looked at, 1 are there a second"
    )
    assert summary.startswith(expected)
