"""Random numbers that depend on the patient, not on the batch.

Every draw is a hash of (seed, patient, name, step), so that a patient is the same whatever the
number of patients, the chunk or the order of the draws. A `numpy.random.Generator` would need one
generator per patient.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt64
from scipy.special import ndtri


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The source of every random number of some patients."""

    key: UInt64[np.ndarray, " subject"]

    def uniform(self, name: str, step: int = 0) -> Float64[np.ndarray, " subject"]:
        """Uniform on (0, 1); the same name and step always return the same number."""
        digest = hashlib.blake2b(f"{name}/{step}".encode(), digest_size=8).digest()
        word = _mix(self.key ^ np.uint64(int.from_bytes(digest, "little")))
        return ((word >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, name: str, step: int = 0) -> Float64[np.ndarray, " subject"]:
        """Standard normal."""
        return ndtri(self.uniform(name, step))

    def take(self, rows: np.ndarray) -> "Draws":
        """The draws of some of the patients."""
        return Draws(self.key[rows])


def make_draws(seed: int, subject_id: Int64[np.ndarray, " subject"]) -> Draws:
    """The draws of patients under a seed."""
    word = hashlib.blake2b(str(seed).encode(), digest_size=8).digest()
    start = np.uint64(int.from_bytes(word, "little"))
    with np.errstate(over="ignore"):
        spread = subject_id.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + start
    return Draws(_mix(spread))


def _mix(word: UInt64[np.ndarray, " subject"]) -> UInt64[np.ndarray, " subject"]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195)."""
    with np.errstate(over="ignore"):
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
