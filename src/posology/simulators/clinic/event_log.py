"""The events of a chunk of patients while they are being made."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int16, Int64

from posology.simulators.clinic.codes import CODES, ROW

STATIC = np.iinfo(np.int64).min
"""The minute of what has no time."""
MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events in order of subject, time and code."""

    subject_id: Int64[np.ndarray, " event"]
    minute: Int64[np.ndarray, " event"]
    """Since 1970-01-01T00:00 UTC; STATIC where there is no time."""
    code: Int16[np.ndarray, " event"]
    """Row of `codes.CODES`."""
    value: Float32[np.ndarray, " event"]
    """NaN where there is no number."""
    quarter: Int16[np.ndarray, " event"]
    """Quarter of the visit at which it was recorded, -1 where at none."""


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Collects events in any order."""

    parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(
        self,
        name: str,
        subject_id: np.ndarray,
        minute: np.ndarray,
        value: np.ndarray | None = None,
        quarter: int = -1,
    ) -> None:
        """One event of the named code for each subject; NaN numbers are not recorded at all."""
        code = CODES[ROW[name]]
        if value is None:
            value = np.full(len(subject_id), np.nan)
        else:
            there = ~np.isnan(value)
            subject_id, minute, value = subject_id[there], minute[there], value[there]
            value = np.round(value, code.decimals)
        n = len(subject_id)
        self.parts.append(
            (
                subject_id,
                minute.astype(np.int64),
                np.full(n, ROW[name], np.int16),
                value.astype(np.float32),
                np.full(n, quarter, np.int16),
            )
        )

    def events(self) -> Events:
        """Everything added, in order."""
        columns = [np.concatenate(column) for column in zip(*self.parts, strict=True)]
        order = np.lexsort((columns[2], columns[1], columns[0]))
        return Events(*(column[order] for column in columns))
