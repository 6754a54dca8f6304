"""What the records of some months show of each decision, whatever they were read from."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

UNKNOWN = -1
"""Of an option, and of the month of an outcome that is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """One row a decision."""

    facts: tuple[str, ...]
    """Codes of the facts, in the order of the columns."""
    options: tuple[str, ...]
    """Names of the options."""
    patient: Int64[np.ndarray, " decision"]
    """Any number that is the patient's own."""
    decided: Int64[np.ndarray, " decision"]
    """Month of the decision, counted from any month that makes none negative."""
    followed: Int64[np.ndarray, " decision"]
    """Month in which the outcome was complete; UNKNOWN without one."""
    recorded: Bool[np.ndarray, "decision fact"]
    number: Float64[np.ndarray, "decision fact"]
    """Last number before the decision; NaN without one."""
    given: Int64[np.ndarray, " decision"]
    """Option given; UNKNOWN if none is recorded."""
    first: Int64[np.ndarray, " decision"]
    """Option that the model puts first; UNKNOWN if it has none."""
    predicted: Float64[np.ndarray, " decision"]
    """P(effective) that the model predicts for the option that is judged: the one given, or the one
    put first where the outcome says which one was right. NaN if unknown."""
    effective: Float64[np.ndarray, " decision"]
    """1 if the option that is judged was effective, 0 if not, NaN if unknown."""

    def __len__(self) -> int:
        return len(self.patient)


def select_observations(
    observations: Observations, rows: Bool[np.ndarray, " decision"]
) -> Observations:
    """Some of the decisions."""
    columns = {
        field.name: value[rows]
        for field in fields(observations)
        if isinstance(value := getattr(observations, field.name), np.ndarray)
    }
    return replace(observations, **columns)


def first_of_month(
    patient: Int64[np.ndarray, " decision"], month: Int64[np.ndarray, " decision"]
) -> Bool[np.ndarray, " decision"]:
    """The first row of each patient in each month: the second would repeat the patient's facts."""
    _, rows = np.unique(np.stack([patient, month], axis=1), axis=0, return_index=True)
    is_first = np.zeros(len(patient), dtype=bool)
    is_first[rows] = True
    return is_first
