"""Ablation: the same patients without some of their codes."""

from dataclasses import replace

import numpy as np

from posology.domain.formula_events import add_formula_events
from posology.domain.history import History, offsets_from_counts
from posology.domain.images import take_image_rows
from posology.domain.profile import Profile


def without_codes(history: History, profile: Profile, prefixes: tuple[str, ...]) -> History:
    """The history without the events of these codes; formulas are evaluated again.

    Steps remain, even if empty, so that the decisions' last visible steps do not change.
    """
    formulas = tuple(formula.event for formula in profile.formulas)
    removed = profile.rows(prefixes + formulas)
    keep = ~np.isin(history.code, list(removed))
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    counts = np.bincount(step[keep], minlength=len(history.time)).astype(np.int64)
    remaining = replace(
        history,
        code=history.code[keep],
        value=history.value[keep],
        event_offsets=offsets_from_counts(counts),
        images=take_image_rows(history.images, np.flatnonzero(keep)),
    )
    return add_formula_events(remaining, profile)
