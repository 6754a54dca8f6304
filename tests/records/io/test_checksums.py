"""A byte that changed after a folder was written is an error of the next reader."""

import json
import os
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology.cohorts.events.chunks import event_files
from posology.cohorts.storage.arrays import load_cohort, load_flow, save_cohort
from posology.errors import RecordError, UserError
from posology.records.io.checksums import CHECKSUMS
from posology.records.io.drafts import draft_folder
from posology.records.meds_dataset import read_splits, write_splits
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.sources.registry import make_sources
from tests.builders.policies import iwpc_cohort
from tests.builders.raw_events import YEAR0, raw_source, raw_table

ROWS = [
    (subject, YEAR0.replace(year=2000 + n), "LAB//k", float(n), None, "mg")
    for subject in range(1, 6)
    for n in range(4)
]
REFUSED = (1, YEAR0.replace(year=1801), "LAB//k", 4.0, None, "mg")


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("events")
    rows = raw_source(folder / "a.parquet", raw_table([*ROWS, REFUSED]))
    ingest([rows], folder / "out", IngestSettings(shards=2))
    write_splits(folder / "out", {1: "train", 2: "test"})
    return folder / "out"


def flip_one(path: Path, chosen: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
    path.write_bytes(bytes(data))


def is_refused(read, folder: Path) -> bool:
    try:
        read(folder)
    except UserError as error:
        return str(folder) in str(error)
    return False


def add(folder: Path) -> None:
    more = raw_source(folder.parent / "b.parquet", raw_table(ROWS[:5]))
    ingest([more], folder, IngestSettings(report=False))


NAMES = (
    "data/0.parquet",
    "data/1.parquet",
    "metadata/codes.parquet",
    "metadata/subject_splits.parquet",
    "metadata/dataset.json",
    "rejected.parquet",
    "manifest.json",
    "quality.json",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_flipped_byte_of_an_events_folder_is_refused(
    events: Path, tmp_path: Path, name: str
) -> None:
    chosen, folder = random.Random(name), tmp_path / "out"
    for _ in range(6):
        shutil.copytree(events, folder)
        flip_one(folder / name, chosen)
        message = rf"{folder / name}: does not match its checksum: .* restore it from a copy"
        with pytest.raises(RecordError, match=message):
            event_files(folder)
        shutil.rmtree(folder)
    shutil.copytree(events, folder)
    flip_one(folder / name, chosen)
    assert is_refused(add, folder)
    (source,) = make_sources("meds", [folder])
    with pytest.raises(RecordError, match="does not match its checksum"):
        ingest([source], tmp_path / "other")


def test_a_changed_list_of_checksums_a_missing_and_an_added_file_are_refused(
    events: Path, tmp_path: Path
) -> None:
    chosen = random.Random(1)
    for number in range(10):
        folder = tmp_path / f"{number}"
        shutil.copytree(events, folder)
        before = json.loads((folder / CHECKSUMS).read_text())
        flip_one(folder / CHECKSUMS, chosen)
        try:
            is_same = json.loads((folder / CHECKSUMS).read_text("utf-8")) == before
        except ValueError:
            is_same = False
        assert is_same or is_refused(event_files, folder)
    shutil.copytree(events, tmp_path / "less")
    (tmp_path / "less" / CHECKSUMS).unlink()
    with pytest.raises(RecordError, match=r"checksums.json: is missing, so that changes"):
        event_files(tmp_path / "less")
    shutil.copytree(events, tmp_path / "more")
    shutil.copy(events / "data" / "0.parquet", tmp_path / "more" / "data" / "7.parquet")
    with pytest.raises(RecordError, match=r"7.parquet: is not listed in checksums.json"):
        event_files(tmp_path / "more")


def test_shards_that_are_linked_keep_their_checksums(events: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    shutil.copytree(events, folder)
    one = raw_source(tmp_path / "b.parquet", raw_table([(1, YEAR0, "LAB//new", 1.0, None, None)]))
    ingest([one], folder, IngestSettings(report=False))
    assert sum(pq.read_metadata(path).num_rows for path in event_files(folder)) == len(ROWS) + 1
    assert read_splits(folder) == {1: "train", 2: "test"}


def test_a_flipped_byte_of_a_cohort_is_refused(tmp_path: Path) -> None:
    save_cohort(iwpc_cohort(), tmp_path / "whole")
    chosen = random.Random(2)
    for path in sorted((tmp_path / "whole").iterdir()):
        if path.name == CHECKSUMS or not path.stat().st_size:
            continue
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "whole", copy)
        flip_one(copy / path.name, chosen)
        assert is_refused(load_cohort, copy), path.name
        if path.name == "cohort.json":
            assert is_refused(load_flow, copy)
        shutil.rmtree(copy)


def test_the_next_run_removes_the_draft_of_a_killed_run_only(tmp_path: Path) -> None:
    killed, early = tmp_path / ".out-killed.draft", tmp_path / ".out-early.draft"
    others = [tmp_path / ".outer-killed.draft", tmp_path / ".out-notes", tmp_path / ".out-x.draft"]
    for folder in (killed, early, *others):
        folder.mkdir()
    (killed / ".writing").touch()
    for folder in others:
        (folder / "text").touch()
        os.utime(folder, (0, 0))
    with draft_folder(tmp_path / "out") as running:
        assert not killed.exists()
        assert not early.exists(), "killed before it held its lock"
        with draft_folder(tmp_path / "out") as second:
            assert running.exists(), "of a running process"
            assert second != running
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in others)
