"""Splits that ingest draws, and the tools that read MEDS with them."""

import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
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


ACES = """
predicates:
  lab:
    code: LAB//k
trigger: lab
windows:
  input:
    start: null
    end: trigger
    start_inclusive: True
    end_inclusive: True
    index_timestamp: end
  target:
    start: input.end
    end: start + 400 days
    start_inclusive: False
    end_inclusive: True
    label: lab
"""


@pytest.fixture
def with_splits(tmp_path: Path) -> Path:
    source = raw_source(tmp_path / "a.parquet", raw_table(rows(range(1, 30))))
    ingest([source], tmp_path / "out", IngestSettings(report=False, splits=SHARES))
    return tmp_path / "out"


def test_aces_extracts_a_task(with_splits: Path, tmp_path: Path) -> None:
    if shutil.which("aces-cli") is None:
        pytest.skip("no ACES here: pip install es-aces")
    (tmp_path / "task.yaml").write_text(ACES)
    command = [
        *("aces-cli", "cohort_name=task", f"cohort_dir={tmp_path}", "data.standard=meds"),
        f"data.path={with_splits / 'data' / '0.parquet'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    labels = pq.read_table(tmp_path / "task.parquet")
    assert labels.num_rows == 29 * 3
    assert sorted(set(labels["boolean_value"].to_pylist())) == [False, True]


def test_meds_transforms_reads_the_folder(with_splits: Path, tmp_path: Path) -> None:
    if shutil.which("MEDS_transform-stage") is None:
        pytest.skip("no MEDS-transforms here: pip install MEDS-transforms")
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        f"input_dir: {with_splits}\noutput_dir: {tmp_path / 'made'}\n"
        "stages:\n  - aggregate_code_metadata:\n      aggregations:\n"
        "        - code/n_occurrences\n        - values/sum\n"
    )
    command = ["MEDS_transform-pipeline", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    codes = pq.read_table(tmp_path / "made" / "metadata" / "codes.parquet").to_pylist()
    splits = read_splits(with_splits) or {}
    of_training = 3 * list(splits.values()).count("train")
    assert [row["code/n_occurrences"] for row in codes if row["code"] == "LAB//k"] == [of_training]
