"""The decisions of the clinic: what was known and done, and the truth beside it."""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic.truth import Truth


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """One row a decision. Nothing here but `option` and `level` ever reaches the events."""

    subject_id: Int64[np.ndarray, " decision"]
    quarter: Int64[np.ndarray, " decision"]
    minute: Int64[np.ndarray, " decision"]
    """Of the review, since 1970-01-01T00:00 UTC."""
    reported: Float64[np.ndarray, " decision"]
    """HbA1c just reported, mmol/mol."""
    bmi: Float64[np.ndarray, " decision"]
    """Last reported."""
    egfr: Float64[np.ndarray, " decision"]
    """Last reported."""
    vascular: Bool[np.ndarray, " decision"]
    failing: Bool[np.ndarray, " decision"]
    stopped: Bool[np.ndarray, "decision treatment"]
    """Options stopped for intolerance before."""
    tried: Bool[np.ndarray, "decision treatment"]
    """Options taken before, the current one included."""
    current: Int64[np.ndarray, " decision"]
    """Option taken until now, -1 where none."""
    option: Int64[np.ndarray, " decision"]
    """Option chosen."""
    level: Int64[np.ndarray, " decision"]
    """Dose level chosen."""
    stops: Bool[np.ndarray, " decision"]
    """Whether this course was then stopped for intolerance."""
    probability: Float64[np.ndarray, "decision treatment level"]
    """The clinicians' own, of every option and dose; 0 where there is no such dose."""
    without_history: Float64[np.ndarray, "decision treatment level"]
    """P(effective) as far as it can be known without the earlier courses."""
    truth: Truth


def joined(parts: list[Decisions]) -> Decisions:
    """Decisions of several quarters, in order of subject and time."""
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(Decisions)
        if f.name != "truth"
    }
    order = np.lexsort((columns["minute"], columns["subject_id"]))
    truth = {
        f.name: np.concatenate([getattr(part.truth, f.name) for part in parts])[order]
        for f in fields(Truth)
    }
    return Decisions(**{k: v[order] for k, v in columns.items()}, truth=Truth(**truth))
