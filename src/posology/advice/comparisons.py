"""What is known of each option for this patient, against the reference.

Where choosing by the patient is shown to gain, differences are the patient's own; otherwise they
are the averages of the study. Levels are those of patients with a similar prognosis; where too few
were studied to tell them apart, the average of all, and the reference's remark says so.
"""

from dataclasses import dataclass

import numpy as np

from posology.advice.wording.lists import listed
from posology.causal.patient.model import PatientOutcomes
from posology.causal.patient.prognosis import Level
from posology.domain.recommendation.evidence import HarmEvidence, StudyEvidence
from posology.domain.recommendation.option import (
    BETTER,
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    REFERENCE,
    WORSE,
    Estimate,
    HarmAdvice,
)
from posology.domain.statistics.wilson import Z_95
from posology.language.catalogue import deferred, tr, tr_count

_SMALL = 0.01
"""Patients of 100: what stands for a probability that a linear model puts at or below 0."""
GAIN = "gain"
OF_ALL, _GOAL = deferred("For the goal"), deferred("the goal")
"""How the remark begins of a reference whose level is not that of patients like this one."""
OF_ALL_BEFORE = deferred("The level of the goal")
"""How it began in answers that services kept before 30 November 2026."""
MIN_SHARE = 0.05
"""Options that usual care gives to fewer of the patients like this one are not estimated
(Crump 2009, doi:10.1093/biomet/asn055, advise 0.1)."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One option: outcome, difference to the reference, harms."""

    standing: str
    outcome: Estimate | None = None
    difference: Estimate | None = None
    harms: tuple[HarmAdvice, ...] = ()
    remark: str = ""
    """Why it is not estimated; of the reference, whose levels are averages of all patients."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientEvidence:
    """The study's evidence, and this patient's outcomes by its models."""

    study: StudyEvidence
    outcomes: PatientOutcomes
    least_difference: float = 0.0
    """Smallest difference of outcomes that counts, of 100 patients or in the outcome's unit."""

    @property
    def is_individual(self) -> bool:
        """Whether differences are the patient's own."""
        return self.study.verdict == GAIN

    @property
    def is_average_level(self) -> bool:
        """Whether the outcome under the reference is that of all patients studied."""
        return self.outcomes.level.is_average

    @property
    def factor(self) -> float:
        """From probabilities to patients of 100."""
        return 1.0 if self.study.unit else 100.0

    @property
    def reference(self) -> int | None:
        """Index of the option that is the control; None: usual care."""
        names = [option.name for option in self.study.options]
        return names.index(self.study.reference) if self.study.reference else None


def compare_option(evidence: PatientEvidence, option: int) -> Comparison:
    """The option against the reference."""
    found = evidence.study.options[option]
    if option == evidence.reference:
        return compare_reference(evidence)
    if not found.is_judged:
        return Comparison(NOT_ESTIMATED, remark=_why_not_judged(found.reason))
    share = evidence.outcomes.usual_shares[option]
    if not evidence.study.is_randomised and share < MIN_SHARE:
        return Comparison(
            NOT_ESTIMATED, remark=tr("Patients with all these facts were almost never given it.")
        )
    difference = found.difference
    if evidence.is_individual:
        difference = _interval(*evidence.outcomes.against_reference(option), evidence.factor)
    if difference is None:
        return Comparison(NOT_ESTIMATED, remark=tr("Its difference could not be estimated."))
    standing = _standing(difference, evidence.least_difference)
    highest = _highest(evidence.study)
    level = _level(evidence.outcomes.level, evidence.factor, highest)
    difference = _possible(difference, level, highest)
    return Comparison(
        standing=standing,
        outcome=_add(level, difference, highest),
        difference=difference,
        harms=_harms(evidence, found.harms, is_reference=False),
    )


def compare_reference(evidence: PatientEvidence) -> Comparison:
    """The reference itself: the level of patients like this one."""
    level = _level(evidence.outcomes.level, evidence.factor, _highest(evidence.study))
    harms = next((option.harms for option in evidence.study.options if option.harms), ())
    return Comparison(
        standing=REFERENCE,
        outcome=level,
        harms=_harms(evidence, harms, is_reference=True),
        remark=_averages(evidence, harms),
    )


def _averages(evidence: PatientEvidence, harms: tuple[HarmEvidence, ...]) -> str:
    """Which levels are those of all patients studied, as a sentence; empty if none is."""
    judged = (harm.name for harm in harms if not harm.reason)
    levels = zip(judged, evidence.outcomes.harm_levels, strict=False)
    goal = [tr(_GOAL)] if evidence.is_average_level else []
    averages = [*goal, *(name for name, level in levels if level.is_average)]
    text = tr_count(
        "For {names} this is the average of all patients: this one's own is not known.",
        "For {names} these are averages of all patients: this one's own are not known.",
        len(averages),
    )
    return text.format(names=listed(averages)) if averages else ""


def is_better_than(evidence: PatientEvidence, option: str, other: str) -> bool:
    """Whether the difference of two options, neither the reference, excludes 0 and counts."""
    apart = difference_between(evidence, option, other)
    return apart is not None and _standing(apart, evidence.least_difference) == BETTER


def difference_between(evidence: PatientEvidence, option: str, other: str) -> Estimate | None:
    """The option less the other one, neither the reference; None where it was not kept."""
    if evidence.is_individual:
        names = [found.name for found in evidence.study.options]
        apart = evidence.outcomes.against(names.index(option), names.index(other))
        return _interval(*apart, evidence.factor)
    for pair in evidence.study.pairs:
        if (pair.first, pair.second) == (option, other):
            return pair.difference
        if (pair.first, pair.second) == (other, option):
            return _negative(pair.difference)
    return None


def _harms(
    evidence: PatientEvidence, harms: tuple[HarmEvidence, ...], is_reference: bool
) -> tuple[HarmAdvice, ...]:
    """Average differences on top of the harm's level in patients like this one."""
    rows = []
    levels = iter(evidence.outcomes.harm_levels)
    for harm in harms:
        if harm.reason:
            rows.append(HarmAdvice(harm.name, harm.unit, None, None, NOT_ESTIMATED))
            continue
        factor = 1.0 if harm.unit else 100.0
        highest = np.inf if harm.unit else 100.0
        level = _level(next(levels), factor, highest)
        if is_reference:
            rows.append(HarmAdvice(harm.name, harm.unit, level, None, REFERENCE))
        elif harm.difference is None:
            rows.append(HarmAdvice(harm.name, harm.unit, None, None, NOT_ESTIMATED))
        else:
            standing = _standing(_negative(harm.difference))
            difference = _possible(harm.difference, level, highest)
            value = _add(level, difference, highest)
            rows.append(HarmAdvice(harm.name, harm.unit, value, difference, standing))
    return tuple(rows)


def _standing(difference: Estimate, least: float = 0.0) -> str:
    if difference.low > 0 and difference.value >= least:
        return BETTER
    is_worse = difference.high < 0 and -difference.value >= least
    return WORSE if is_worse else NO_CLEAR_DIFFERENCE


def _level(level: Level, factor: float, highest: float) -> Estimate:
    """The level of patients like this one, in the possible range, and never exactly 0 of 100."""
    found = _within(_interval(level.value, level.error, factor), 0.0, highest)
    least = _SMALL if np.isfinite(highest) else 0.0
    return Estimate(max(found.value, least), found.low, max(found.high, least))


def _interval(mean: float, error: float, factor: float) -> Estimate:
    reach = Z_95 * error
    return Estimate(factor * mean, factor * (mean - reach), factor * (mean + reach))


def _highest(study: StudyEvidence) -> float:
    return np.inf if study.unit else 100.0


def _add(level: Estimate, difference: Estimate, highest: float) -> Estimate:
    """Level plus difference; the two errors are taken to be independent, which is cautious."""
    value = level.value + difference.value
    below = np.hypot(level.value - level.low, difference.value - difference.low)
    above = np.hypot(level.high - level.value, difference.high - difference.value)
    return _within(Estimate(value, float(value - below), float(value + above)), 0.0, highest)


def _possible(difference: Estimate, level: Estimate, highest: float) -> Estimate:
    """A difference that leads to no value below 0 or above the highest.

    Its interval is cut at what the level's own interval allows, not at the level's value.
    """
    least = _SMALL if np.isfinite(highest) else 0.0
    value = min(max(difference.value, least - level.value), highest - level.value)
    low = max(difference.low, -max(level.high, 0.0))
    high = min(difference.high, highest - min(level.low, highest))
    return Estimate(value, min(low, value), max(high, value))


def _within(estimate: Estimate, low: float, high: float) -> Estimate:
    return Estimate(
        *(min(max(x, low), high) for x in (estimate.value, estimate.low, estimate.high))
    )


def _negative(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low)


def _why_not_judged(reason: str) -> str:
    if reason == "no overlap":
        return tr("Patients like those given the other options hardly ever had it.")
    if reason == "too few patients":
        return tr("Too few patients were given it.")
    return tr("It could not be compared.")
