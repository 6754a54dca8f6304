"""The same patients, had some of it not been known."""

from dataclasses import replace

import numpy as np

from posology.domain.formulas.events import add_formula_events
from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile


def without_codes(history: History, profile: Profile, prefixes: tuple[str, ...]) -> History:
    """The history without the events of these codes, its formulas worked out again.

    Steps stay, so decisions keep their last visible step, even where a step becomes empty.
    """
    formulas = tuple(formula.event for formula in profile.formulas)
    gone = profile.rows(prefixes + formulas)
    kept = ~np.isin(history.code, list(gone))
    step = np.repeat(np.arange(len(history.time)), np.diff(history.event_offsets))
    counts = np.bincount(step[kept], minlength=len(history.time)).astype(np.int64)
    bare = replace(
        history,
        code=history.code[kept],
        value=history.value[kept],
        event_offsets=offsets_from_counts(counts),
    )
    return add_formula_events(bare, profile)
