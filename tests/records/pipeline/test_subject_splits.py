"""Splits that ingest draws."""

from pathlib import Path

import pytest

from posology.errors import RecordError
from posology.records.meds_dataset import read_splits
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.pipeline.subject_splits import draw_split, parse_shares
from tests.builders.raw_events import YEAR0, raw_source, raw_table

SHARES = (0.6, 0.2, 0.2)


def rows(subjects: range) -> list[tuple]:
    return [
        (subject, YEAR0.replace(year=2000 + n), "LAB//k", float(n), None, "mg")
        for subject in subjects
        for n in range(3)
    ]


def test_every_subject_has_a_split_and_none_moves(tmp_path: Path) -> None:
    settings = IngestSettings(report=False, splits=SHARES)
    out = tmp_path / "out"
    ingest([raw_source(tmp_path / "a.parquet", raw_table(rows(range(1, 200))))], out, settings)
    first = read_splits(out)
    assert first is not None and set(first) == set(range(1, 200))  # noqa: PT018
    ingest(
        [raw_source(tmp_path / "b.parquet", raw_table(rows(range(150, 300))))],
        out,
        IngestSettings(report=False, splits=(0.0, 0.0, 1.0)),
    )
    later = read_splits(out)
    assert later is not None
    assert {subject: later[subject] for subject in first} == first
    assert {later[subject] for subject in range(200, 300)} == {"test"}


def test_shares_are_kept_on_average() -> None:
    drawn = [draw_split(subject, SHARES) for subject in range(-5_000, 5_000)]
    for name, share in zip(("train", "validation", "test"), SHARES, strict=True):
        assert abs(drawn.count(name) / len(drawn) - share) < 0.02, name


@pytest.mark.parametrize("text", ["0.8,0.1", "a,b,c", "0.8,0.3,0.1", "1.2,-0.1,-0.1", "nan,0,0"])
def test_shares_that_are_none_are_an_error(text: str) -> None:
    assert parse_shares("0.8,0.1,0.1") == (0.8, 0.1, 0.1)
    with pytest.raises(RecordError, match=r"--splits .*: write the shares of train, validation, "):
        parse_shares(text)
