"""The study's groups of patients, as one column a code: those for which coverage is kept."""

import numpy as np

from posology.advice.uncertainty.facts import find_columns
from posology.advice.uncertainty.thresholds import Groups
from posology.domain.history import History, StepIndex, visible_events
from posology.domain.profile import Profile
from posology.domain.study import Study


def group_members(study: Study, profile: Profile, history: History, decisions: StepIndex) -> Groups:
    """Codes of the study's `[subgroups]`, and which decisions can see each of them.

    A last column of each family holds the patients of whom none of its codes is recorded.
    """
    owner, event = visible_events(history, decisions)
    code = history.code[event]
    names: list[str] = []
    columns = []
    for family, prefixes in study.subgroups:
        rows = np.array(sorted(profile.rows(prefixes)), dtype=np.int64)
        is_seen = np.zeros((len(decisions), len(rows)), dtype=bool)
        keep, column = find_columns(code, rows)
        is_seen[owner[keep], column] = True
        names += [profile.codes[row] for row in rows] + [f"{family} not recorded"]
        columns += [is_seen, ~is_seen.any(axis=1, keepdims=True)]
    if not columns:
        return (), np.zeros((len(decisions), 0), dtype=bool)
    return tuple(names), np.concatenate(columns, axis=1)
