"""Dense series at the study's resolution: one event per bin of time, its mean."""

import numpy as np

from posology.cohorts.events.stream import EventStream, has_any_code, select_events
from posology.domain.study import Resolution


def average_bins(events: EventStream, resolutions: tuple[Resolution, ...]) -> EventStream:
    """The events with the numbers of each subject, code and time bin averaged.

    The mean has the time of the bin's last measurement, so that nothing is visible before it was
    measured; a decision in the middle of a bin sees none of it.
    """
    for resolution in resolutions:
        events = _binned(events, resolution)
    return events


def _binned(events: EventStream, resolution: Resolution) -> EventStream:
    dense = (
        has_any_code(events, resolution.codes) & ~np.isnan(events.value) & ~np.isnan(events.time)
    )
    rows = np.flatnonzero(dense)
    if not len(rows):
        return events
    number = np.floor(events.time[rows] * 24.0 / resolution.hours)
    order = np.lexsort((rows, number, events.code[rows], events.subject_id[rows]))
    rows, number = rows[order], number[order]
    subject, code = events.subject_id[rows], events.code[rows]
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (subject[1:] != subject[:-1]) | (code[1:] != code[:-1]) | (number[1:] != number[:-1])
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(rows)))
    last = rows[starts + sizes - 1]
    value = events.value.copy()
    value[last] = np.add.reduceat(events.value[rows].astype(np.float64), starts) / sizes
    keep = ~dense
    keep[last] = True
    kept_rows = np.flatnonzero(keep)
    thinned = select_events(events, kept_rows)
    return EventStream(
        thinned.subject_id, thinned.time, thinned.code, value[kept_rows], events.codes
    )
