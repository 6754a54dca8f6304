"""The split into training, validation and test, one of each subject: stable under new data."""

import hashlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int8, Int64

from posology.cohorts.events.windows import DecisionTimes
from posology.domain.cohort import TEST, TRAIN, VALIDATION
from posology.domain.study import Split
from posology.errors import StudyError


def split_by_hash(
    subject_id: Int64[np.ndarray, " subject"], split: Split
) -> Int8[np.ndarray, " subject"]:
    """The split of each subject by a stable hash: it does not depend on the other subjects."""
    at = uniform_hash(subject_id, split.salt)
    chosen = np.full(len(at), TEST, dtype=np.int8)
    chosen[at < split.train + split.validation] = VALIDATION
    chosen[at < split.train] = TRAIN
    return chosen


def assign_splits(
    subjects: Int64[np.ndarray, " subject"],
    at: DecisionTimes,
    site: Int64[np.ndarray, " decision"],
    split: Split,
    file: Mapping[int, int] | None = None,
) -> Int8[np.ndarray, " decision"]:
    """The split of each decision; all decisions of a subject have the same one.

    site: of each decision. file: split of the subjects that the records' split file names.
    """
    if split.by == "file":
        return _by_file(subjects, at, split, file)
    if split.by == "site":
        return split_by_hash(site.astype(np.int64), split)
    if split.by == "subject":
        return split_by_hash(subjects, split)[at.subject]
    first = np.full(len(subjects), np.inf)
    np.minimum.at(first, at.subject, at.time)
    chosen = np.full(len(subjects), TRAIN, dtype=np.int8)
    chosen[first >= (split.validation_from or 0.0)] = VALIDATION
    chosen[first >= (split.test_from or 0.0)] = TEST
    return chosen[at.subject]


def split_end(
    chosen: Int8[np.ndarray, " decision"], split: Split
) -> Float64[np.ndarray, " decision"]:
    """When the next split begins, which each decision's split must not know of; by time only.

    Training patients are followed into the time of the test patients: without this limit their
    later decisions and outcomes would be learned from.
    """
    if split.by != "time":
        return np.full(len(chosen), np.inf)
    ends = np.array([split.validation_from or 0.0, split.test_from or 0.0, np.inf])
    return ends[chosen]


def _by_file(
    subjects: Int64[np.ndarray, " subject"],
    at: DecisionTimes,
    split: Split,
    file: Mapping[int, int] | None,
) -> Int8[np.ndarray, " decision"]:
    """By the file; subjects it does not name by hash, if the study gives the shares."""
    if file is None:
        raise StudyError('[split] by = "file" needs a MEDS folder that has a split file.')
    rows, row = np.unique(at.subject, return_inverse=True)
    subject_id = subjects[rows]
    chosen = np.array([file.get(int(s), -1) for s in subject_id], dtype=np.int8)
    unnamed = chosen < 0
    if unnamed.any() and not split.salt:
        raise StudyError(
            f"subject {subject_id[unnamed][0]} (one of {unnamed.sum()}) has decisions, but the "
            "records' split file does not name it; add it there, or give [split] train, "
            "validation, test and salt: subjects not in the file are then split by hash."
        )
    chosen[unnamed] = split_by_hash(subject_id[unnamed], split)
    return chosen[row]


def uniform_hash(
    subject_id: Int64[np.ndarray, " subject"], salt: str
) -> Float64[np.ndarray, " subject"]:
    """A number in [0, 1) for each subject and salt: SplitMix64 (Steele et al. 2014, figure 16)."""
    seed = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        z = subject_id.astype(np.uint64) ^ np.uint64(seed)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53
