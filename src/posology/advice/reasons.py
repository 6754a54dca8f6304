"""Attributions in words: the inputs that contributed most, and the attention on each step."""

import datetime
from dataclasses import dataclass

import numpy as np

from posology.domain.history import History
from posology.domain.policy import Attribution
from posology.domain.profile import Profile


@dataclass(frozen=True, slots=True)
class Reason:
    """One input and its contribution: the prediction with it minus the prediction without it."""

    code: str
    label: str
    log_odds: float
    """Contribution to the log-odds of the first option."""
    dose: float | None
    """Contribution to the dose."""


MAX_REASONS = 8
"""More are rarely read; our choice."""


def largest_contributions(
    attribution: Attribution | None, history: History, profile: Profile, option: int
) -> tuple[Reason, ...]:
    """The events with the largest contribution to the option's log-odds, either way."""
    if attribution is None:
        return ()
    size = np.abs(attribution.contribution[:, option])
    largest = np.argsort(-size, kind="stable")[:MAX_REASONS]
    codes = [int(code) for code in history.code[attribution.event[largest]]]
    return tuple(
        Reason(
            code=profile.codes[code],
            label=code_label(profile, code, float(history.value[attribution.event[row]])),
            log_odds=float(attribution.contribution[row, option]),
            dose=_none_if_nan(float(attribution.dose_contribution[row])),
        )
        for row, code in zip(largest, codes, strict=True)
    )


def attention_by_step(
    attribution: Attribution | None, history: History
) -> tuple[tuple[str, float], ...]:
    """The date of each visible step and its share of the attention."""
    if attribution is None:
        return ()
    return tuple(
        (_step_name(float(history.time[step])), float(weight))
        for step, weight in zip(attribution.step, attribution.attention, strict=True)
    )


def code_label(profile: Profile, row: int, value: float) -> str:
    """A readable name of a code, with its value.

    `GENOTYPE//CYP2C9//*1/*3` becomes `genotype CYP2C9: *1/*3` where it has no better name.
    """
    name = profile.name(row)
    if np.isnan(value):
        return name
    return f"{name}: {value:g}" if "," in name else f"{name} {value:g}"


def _step_name(day: float) -> str:
    if np.isnan(day):
        return "static facts"
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(days=day)).date().isoformat()  # noqa: DTZ001


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else value
