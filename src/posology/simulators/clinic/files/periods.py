"""When the clinic observes each patient: from the day of the first visit to that of the last."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from posology.domain.study import PERIOD_END, PERIOD_START
from posology.simulators.clinic.events import MINUTES, STATIC, Events

CODES = (PERIOD_START, PERIOD_END)


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """One observation period a patient; days since 1970-01-01."""

    subject_id: Int64[np.ndarray, " subject"]
    first_day: Int64[np.ndarray, " subject"]
    last_day: Int64[np.ndarray, " subject"]


def observation_periods(events: Events) -> Periods:
    """The period of every patient who was seen at a visit."""
    seen = np.flatnonzero((events.minute != STATIC) & (events.quarter >= 0))
    subject, day = events.subject_id[seen], events.minute[seen] // MINUTES
    first = np.flatnonzero(np.diff(subject, prepend=-1) > 0)
    last = np.append(first[1:], len(seen)) - 1
    return Periods(subject[first], day[first], day[last])
