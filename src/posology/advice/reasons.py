"""Attributions in words: which inputs mattered, and where the policy looked."""

import datetime

import numpy as np

from posology.domain.history import History
from posology.domain.policy import Attribution
from posology.domain.profile import Profile
from posology.domain.recommendation import Reason

MOST = 8
"""Reasons told; more are rarely read."""


def reasons_of(
    attribution: Attribution | None, history: History, profile: Profile, option: int
) -> tuple[Reason, ...]:
    """The inputs that moved the option's log-odds most, either way."""
    if attribution is None:
        return ()
    weight = np.abs(attribution.contribution[:, option])
    most = np.argsort(-weight, kind="stable")[:MOST]
    known = [int(code) for code in history.code[attribution.event[most]]]
    return tuple(
        Reason(
            code=profile.codes[code],
            label=label(profile, code, float(history.value[attribution.event[row]])),
            log_odds=float(attribution.contribution[row, option]),
            dose=_number(float(attribution.dose_contribution[row])),
        )
        for row, code in zip(most, known, strict=True)
    )


def attention_of(
    attribution: Attribution | None, history: History
) -> tuple[tuple[str, float], ...]:
    """Each visible step by its date, and the attention on it."""
    if attribution is None:
        return ()
    return tuple(
        (_when(float(history.time[step])), float(weight))
        for step, weight in zip(attribution.step, attribution.attention, strict=True)
    )


def label(profile: Profile, row: int, value: float) -> str:
    """A code as a person reads it, with its number.

    In the records' own words where they have any; else `GENOTYPE//CYP2C9//*1/*3` is written
    `genotype CYP2C9: *1/*3`.
    """
    words = profile.title(row)
    if not words:
        family, *rest = profile.codes[row].split("//")
        words = " ".join([family.replace("_", " ").lower(), *rest[:1]])
        if len(rest) > 1:
            words += ": " + " ".join(rest[1:])
    return words if np.isnan(value) else f"{words} {value:g}"


def _when(day: float) -> str:
    if np.isnan(day):
        return "static facts"
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(days=day)).date().isoformat()  # noqa: DTZ001


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
