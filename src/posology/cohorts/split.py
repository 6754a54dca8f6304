"""Who learns, who chooses and who tests: decided by the subject alone, so it never changes."""

import hashlib

import numpy as np
from jaxtyping import Float64, Int8, Int64

from posology.domain.cohort import TEST, TRAIN, VALIDATION
from posology.domain.study import Split


def by_subject(
    subject_id: Int64[np.ndarray, " subject"], split: Split
) -> Int8[np.ndarray, " subject"]:
    """The split of each subject by a stable hash: other subjects coming or going move nobody."""
    at = uniform_hash(subject_id, split.salt)
    chosen = np.full(len(at), TEST, dtype=np.int8)
    chosen[at < split.train + split.validation] = VALIDATION
    chosen[at < split.train] = TRAIN
    return chosen


def uniform_hash(
    subject_id: Int64[np.ndarray, " subject"], salt: str
) -> Float64[np.ndarray, " subject"]:
    """A number in [0, 1) per subject and salt: SplitMix64 (Steele et al. 2014, figure 16)."""
    seed = int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "little")
    with np.errstate(over="ignore"):
        z = subject_id.astype(np.uint64) ^ np.uint64(seed)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53
