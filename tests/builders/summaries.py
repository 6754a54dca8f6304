"""Summaries of hospitals with two options and a control, made from given effects."""

from dataclasses import replace

import numpy as np

from posology.domain.statistics.protocol import protocol_hash, study_protocol
from posology.domain.statistics.study_summary import (
    FORMAT,
    HARM,
    MAIN,
    OBSERVED,
    OPTION,
    SharedAnalysis,
    SharedEffect,
    SharedOutcome,
    SharedStudy,
    SharedValue,
    StudySummary,
)
from tests.builders.small_cohorts import STUDY

PROTOCOL = study_protocol(STUDY)


def outcome(
    effects: dict[str, float], error: float, role: str = MAIN, correlation: float = 0.5
) -> SharedOutcome:
    """Effects against `low`, each with the same standard error and correlation with the others."""
    values = [SharedValue("low", OPTION, "low dose", 100, 40, 0.4, error, "")]
    values += [
        SharedValue(name, OPTION, f"{name} dose", 100, 50, 0.4 + effect, error, "")
        for name, effect in effects.items()
    ]
    values.append(SharedValue("usual care", OBSERVED, "usual care", 300, 140, 0.45, error, ""))
    size = len(effects)
    covariance = error**2 * (correlation + (1 - correlation) * np.eye(size))
    return SharedOutcome(
        name="stable dose" if role == MAIN else "bleeding",
        role=role,
        unit="percentage points",
        is_binary=True,
        family="",
        group="",
        patients=300,
        values=tuple(values),
        effects=tuple(SharedEffect(name, OPTION, e, error) for name, e in effects.items()),
        covariance=tuple(tuple(row) for row in covariance.tolist()),
    )


def summary(*outcomes: SharedOutcome) -> StudySummary:
    """The summary of a hospital."""
    return StudySummary(
        format=FORMAT,
        posology="0.1.0",
        made="2026-11-28 20:00 UTC",
        study=SharedStudy(STUDY.name, "Two doses", protocol_hash(PROTOCOL), PROTOCOL),
        analysis=SharedAnalysis(False, "logistic", ("age, years",), "low", 5, 0),
        patients=300,
        analysed=290,
        outcomes=outcomes,
    )


def without_option(made: SharedOutcome, name: str, reason: str) -> SharedOutcome:
    """The outcome with one option held back."""
    kept = [at for at, effect in enumerate(made.effects) if effect.name != name]
    matrix = np.array(made.covariance)[np.ix_(kept, kept)]
    return replace(
        made,
        values=tuple(
            replace(v, value=None, standard_error=None, reason=reason) if v.name == name else v
            for v in made.values
        ),
        effects=tuple(made.effects[at] for at in kept),
        covariance=tuple(tuple(row) for row in matrix.tolist()),
    )


def alike() -> dict[str, StudySummary]:
    """Three hospitals: `medium` better by 0.1, `high` worse; one holds back a harm."""
    return {
        name: summary(
            outcome({"medium": 0.10 + shift, "high": -0.12 + shift}, error),
            without_option(outcome({"medium": 0.04, "high": 0.01}, 0.01, HARM), "high", "few")
            if name == "south"
            else outcome({"medium": 0.04 + shift, "high": 0.01 + shift}, 0.01, HARM),
        )
        for name, shift, error in (
            ("north", 0.005, 0.02),
            ("south", -0.005, 0.03),
            ("west", 0.002, 0.025),
        )
    }


def apart() -> dict[str, StudySummary]:
    """Four hospitals whose effects of `medium` differ by far more than their errors."""
    effects = {"north": 0.3, "south": -0.1, "west": 0.15, "east": 0.02}
    return {
        n: summary(outcome({"medium": e, "high": 0.0 + e / 50}, 0.02)) for n, e in effects.items()
    }
