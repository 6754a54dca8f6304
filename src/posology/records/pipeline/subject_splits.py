"""The splits of a folder's subjects: kept, taken from sources, and drawn for new subjects."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import meds
import pyarrow.compute as pc
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records import meds_dataset

NAMES = ("train", "validation", "test")


def parse_shares(text: str) -> tuple[float, float, float]:
    """The shares of train, validation and test in such as `0.8,0.1,0.1`; RecordError otherwise."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError:
        train = validation = test = -1.0
    if not (min(train, validation, test) >= 0 and abs(train + validation + test - 1) <= 1e-9):
        raise RecordError(
            f"--splits {text!r}: write the shares of {', '.join(NAMES)} with the sum 1, "
            "such as 0.8,0.1,0.1"
        )
    return train, validation, test


def write_splits(
    folders: tuple[Path, Path],
    sources: Iterable[tuple[str, Mapping[int, str]]],
    shares: tuple[float, float, float] | None,
) -> None:
    """Write the splits of the old folder and the sources; a subject never moves to another split.

    folders: the old and the new one. shares: of train, validation and test, to draw the splits of
    subjects that have none, by a hash of their ids; without them, these have none.
    """
    folder, new_folder = folders
    splits = dict(meds_dataset.read_splits(folder) or {})
    for name, of_source in sources:
        for subject, split in of_source.items():
            if splits.setdefault(subject, split) != split:
                raise RecordError(
                    f"{name}: a subject of split {split} is in {splits[subject]} in "
                    f"what was ingested before; remove it from one {meds.subject_splits_filepath}"
                )
    if shares is not None:
        for subject in _subjects(new_folder):
            splits.setdefault(subject, draw_split(subject, shares))
    if splits:
        meds_dataset.write_splits(new_folder, splits)


def draw_split(subject: int, shares: tuple[float, float, float]) -> str:
    """The split of a subject, by its BLAKE2b hash: the same in every folder."""
    digest = hashlib.blake2b(subject.to_bytes(8, "little", signed=True), digest_size=8).digest()
    place = int.from_bytes(digest, "little") / 2**64
    train, validation, _ = shares
    return NAMES[0] if place < train else NAMES[1] if place < train + validation else NAMES[2]


def _subjects(folder: Path) -> list[int]:
    found: set[int] = set()
    for path in meds_dataset.data_files(folder):
        for batch in pq.ParquetFile(path).iter_batches(1_000_000, columns=["subject_id"]):
            found.update(pc.unique(batch.column("subject_id")).to_pylist())
    return sorted(found)
