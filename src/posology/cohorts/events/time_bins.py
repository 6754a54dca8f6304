"""Dense series at the study's resolution: a bin's mean stands where its last measurement stood."""

import numpy as np

from posology.cohorts.events.stream import EventStream, has_any_code, select_events
from posology.domain.study import Resolution


def average_bins(events: EventStream, resolutions: tuple[Resolution, ...]) -> EventStream:
    """The stream with the numbers of each subject, code and bin of time averaged.

    Standing at its last measurement, a bin never tells anything before it was known; a decision in
    the middle of a bin sees none of it.
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
    kept = ~dense
    kept[last] = True
    kept_rows = np.flatnonzero(kept)
    thinned = select_events(events, kept_rows)
    return EventStream(
        thinned.subject_id, thinned.time, thinned.code, value[kept_rows], events.codes
    )
