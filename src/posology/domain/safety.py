"""What must not be given: a study's contraindications, asked of a History."""

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.history import History, StepIndex, has_code, latest_value
from posology.domain.profile import Profile
from posology.domain.study import Bounds, Study, ValueRange


def allowed_treatments(
    study: Study, profile: Profile, history: History, decisions: StepIndex
) -> Bool[np.ndarray, "decision treatment"]:
    """False where a contraindication that is visible to the decision forbids the option.

    What is not known forbids nothing. A row may forbid every option: then there is nothing to
    recommend.
    """
    names = study.formulary.names
    out = np.ones((len(decisions), len(names)), dtype=bool)
    for rule in study.safety:
        holds = has_visible_code(profile, history, decisions, rule.visible)
        for span in rule.ranges:
            holds |= is_in_range(profile, history, decisions, span)
        for option in rule.options:
            out[:, names.index(option)] &= ~holds
    return out


def has_visible_code(
    profile: Profile, history: History, decisions: StepIndex, codes: tuple[str, ...]
) -> Bool[np.ndarray, " decision"]:
    """Whether any of the codes is visible to each decision."""
    return has_code(history, decisions, profile.rows(codes))


def is_in_range(
    profile: Profile, history: History, decisions: StepIndex, asked: ValueRange
) -> Bool[np.ndarray, " decision"]:
    """Whether the last visible number of the codes is known and within its bounds."""
    value = latest_value(history, decisions, profile.rows(asked.codes))
    return _within(value, asked.bounds)


def _within(value: Float64[np.ndarray, " _"], bounds: Bounds) -> Bool[np.ndarray, " _"]:
    low = -np.inf if bounds.at_least is None else bounds.at_least
    high = np.inf if bounds.at_most is None else bounds.at_most
    return (value >= low) & (value <= high)
