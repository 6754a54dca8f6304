"""All that is asked of interventions and of a rule that chooses among them, in one answer.

Effects, values and harms are means of doubly robust scores over the stated population: patients for
whom every option was a possibility. Nobody is judged by a rule that was learned from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import SHARED_NOISE, Heterogeneity, heterogeneity_test
from posology.causal.trial import Column, Matrix, name, select
from posology.evaluation.effects.abstention import Abstention, abstention
from posology.evaluation.effects.benefit import (
    BenefitCalibration,
    Beside,
    NetBenefit,
    Rate,
    beside,
    c_for_benefit,
    calibration_for_benefit,
    decision_curve,
    number_needed,
    rate,
)
from posology.evaluation.effects.held_out_rule import HeldOutRule, Said, levelled
from posology.evaluation.effects.overlap import Balance, LeftOut, balance, left_out
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    RuleValue,
    as_probabilities,
    average_effects,
    gain,
    rule_values,
)
from posology.evaluation.effects.sensitivity import (
    e_value,
    e_value_limit,
    ratio_of_means,
    vanishing_gamma,
)
from posology.evaluation.effects.subgroup_gain import GroupGain, group_gain
from posology.evaluation.effects.verdict import UNJUDGED, Unit, Verdict, verdict
from posology.evaluation.significance import Difference, Interval
from posology.evaluation.table1.subgroups import Subgroup

RULE = "posology's rule"
THRESHOLDS = 6
"""Points of a decision curve; our choice."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How strong a hidden reason must be to explain a difference away."""

    e_value: float
    limit: float
    """E-value of the interval's limit nearer to nothing; 1 where it holds nothing."""
    gamma: float
    """Factor on the odds of treatment at which the difference may be nothing."""


@dataclass(frozen=True, slots=True)
class OptionEffect:
    """An intervention as such: its average effect, and what would explain it away."""

    effect: AverageEffect
    strength: Strength


@dataclass(frozen=True, slots=True)
class Contrast:
    """One option against the best single one: are those said to gain the ones who gain."""

    option: str
    against: str
    rate: Rate
    calibration: BenefitCalibration
    c: Interval
    curve: tuple[NetBenefit, ...]


@dataclass(frozen=True, slots=True)
class Harm:
    """Another outcome: under each option, and under the rule."""

    options: tuple[AverageEffect, ...]
    rule: Beside


@dataclass(frozen=True, slots=True)
class Stability:
    """The same rule learned on other folds."""

    agreement: float
    """Share of patients for whom it says the same option."""
    gain: Difference


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked beside the main outcome."""

    covariates: tuple[str, ...]
    rules: Mapping[str, Matrix]
    """Guidelines: probabilities of the options."""
    groups: Sequence[Subgroup]
    harms: Mapping[str, Nuisance]
    again: Sequence[HeldOutRule]
    unit: Unit
    binary: bool
    """Whether the outcome is a chance, so that ratios and numbers needed mean something."""


@dataclass(frozen=True, slots=True, eq=False)
class EffectStudy:
    """What the report says; empty where nothing can be judged."""

    verdict: Verdict
    folds_personal: int | None
    heterogeneity: Heterogeneity
    effects: tuple[OptionEffect, ...]
    values: tuple[RuleValue, ...]
    rule: Strength | None
    needed: Interval | None
    contrasts: tuple[Contrast, ...]
    harms: tuple[Harm, ...]
    patients: Abstention | None
    groups: tuple[GroupGain, ...]
    stability: tuple[Stability, ...]
    balance: tuple[Balance, ...]
    left_out: tuple[LeftOut, ...]


def judge(
    nuisance: Nuisance, rule: HeldOutRule, asked: Asked, rng: np.random.Generator
) -> EffectStudy:
    """Judge each option, and the rule, on patients from whom the rule was not learned."""
    trial, said = nuisance.trial, verdict(nuisance, rule.chosen, rule.single, rng, asked.unit)
    keep = said.overlap.keep
    judged = said.kind != UNJUDGED
    gained = gain(nuisance, rule.chosen, rule.single, rng, keep) if judged else None
    effect = levelled(rule.said, rule.fold)
    told = Said(effect, rule.chosen, rule.single, said.best, _speaks(said))
    return EffectStudy(
        verdict=said,
        folds_personal=rule.personal,
        heterogeneity=_varies(nuisance, told, keep, rule.personal is not None),
        effects=_effects(nuisance, asked, said, rng),
        values=_values(nuisance, rule, asked, said, rng),
        rule=_rule_strength(nuisance, rule, asked, said) if judged else None,
        needed=number_needed(gained) if gained is not None and asked.binary else None,
        contrasts=_contrasts(nuisance, rule, said, rng) if judged else (),
        harms=_harms(rule, asked, said, rng) if judged else (),
        patients=_patients(nuisance, told, keep, rng) if judged else None,
        groups=tuple(group_gain(nuisance, told, g, keep, rng) for g in asked.groups)
        if judged else (),
        stability=tuple(
            Stability(
                float((other.chosen == rule.chosen)[keep].mean()),
                gain(nuisance, other.chosen, other.single, rng, keep),
            )
            for other in asked.again
        ) if judged else (),
        balance=balance(trial, nuisance.propensity, asked.covariates),
        left_out=left_out(trial, keep, asked.covariates),
    )  # fmt: skip


def _patients(
    nuisance: Nuisance, told: Said, keep: np.ndarray, rng: np.random.Generator
) -> Abstention | None:
    if told.single not in told.speaks:
        return None
    return abstention(nuisance, told, keep, rng)


def _varies(nuisance: Nuisance, told: Said, keep: np.ndarray, shared: bool) -> Heterogeneity:
    if not keep.any():
        return Heterogeneity(0.0, float("inf"), 1.0)
    effect, left, surprise = told.effect[keep], nuisance.residual[keep], nuisance.surprise[keep]
    return heterogeneity_test(effect, left, surprise, shared)


def _speaks(said: Verdict) -> list[int]:
    """Options of which something may be said."""
    if not said.overlap.keep.any():
        return []
    return [k for k, option in enumerate(said.overlap.options) if not option.refused]


def _effects(
    nuisance: Nuisance, asked: Asked, said: Verdict, rng: np.random.Generator
) -> tuple[OptionEffect, ...]:
    """Of each option against the best single one, in the stated population."""
    trial, keep, speaks = nuisance.trial, said.overlap.keep, _speaks(said)
    single = said.best
    if single not in speaks:
        return ()
    base = float(nuisance.scores[keep, single].mean())
    others = [k for k in range(trial.options) if k != single]
    found = average_effects(nuisance, single, rng, keep)
    rows = []
    for k, effect in zip(others, found, strict=True):
        if k not in speaks:
            continue
        pair = (k, single) if effect.effect.value > 0 else (single, k)
        better = np.full(len(trial), pair[0], np.int64)
        gamma = vanishing_gamma(nuisance, better, pair[1], keep)
        rows.append(
            OptionEffect(effect, _strength(effect.effect, base, asked, trial.outcome, gamma))
        )
    return tuple(rows)


def _strength(
    difference: Difference, base: float, asked: Asked, outcome: Column, gamma: float
) -> Strength:
    figures = (difference.value, difference.low, difference.high)
    if asked.binary:
        value, low, high = (max((base + d) / max(base, 1e-3), 1e-3) for d in figures)
    else:
        value, low, high = (ratio_of_means(d, float(outcome.std())) for d in figures)
    return Strength(e_value(value), e_value_limit(low, high), gamma)


def _rule_strength(
    nuisance: Nuisance, rule: HeldOutRule, asked: Asked, said: Verdict
) -> Strength | None:
    if said.gain is None:
        return None
    rows, keep = np.arange(len(rule.chosen)), said.overlap.keep
    base = float(nuisance.scores[rows, rule.single][keep].mean())
    gamma = vanishing_gamma(nuisance, rule.chosen, rule.single, keep)
    return _strength(said.gain, base, asked, nuisance.trial.outcome, gamma)


def _values(
    nuisance: Nuisance, rule: HeldOutRule, asked: Asked, said: Verdict, rng: np.random.Generator
) -> tuple[RuleValue, ...]:
    trial, speaks = nuisance.trial, _speaks(said)
    if not speaks:
        return ()
    silent = {f"{name(trial, k)} for all" for k in range(trial.options) if k not in speaks}
    rules = {RULE: as_probabilities(rule.chosen, trial.options), **asked.rules}
    rows = rule_values(nuisance, rules, rule.single, rng, said.overlap.keep)
    mute = {RULE} if said.kind == UNJUDGED else set()
    return tuple(row for row in rows if row.rule not in silent | mute)


def _contrasts(
    nuisance: Nuisance, rule: HeldOutRule, said: Verdict, rng: np.random.Generator
) -> tuple[Contrast, ...]:
    keep, single = said.overlap.keep, said.best
    trial, scores = select(nuisance.trial, keep), nuisance.scores[keep]
    predicted = levelled(rule.said[keep], rule.fold[keep])
    rows = []
    for k in _speaks(said):
        if k == single:
            continue
        benefit = scores[:, k] - scores[:, single]
        told = predicted[:, k] - predicted[:, single]
        top = max(float(np.quantile(told, 0.95)), 1e-3 * float(np.abs(told).max()), 1e-9)
        thresholds = tuple(float(t) for t in np.linspace(0, top, THRESHOLDS))
        ranked = rate(told, benefit, trial.subject, rng)
        line = calibration_for_benefit(told, benefit, trial.subject, rng)
        if rule.personal is not None:  # learned from these patients, fold by fold
            ranked = Rate(_shared(ranked.autoc), _shared(ranked.qini))
            line = replace(line, slope=_shared(line.slope))
        rows.append(Contrast(
            name(trial, k), name(trial, single), ranked, line,
            c_for_benefit(trial, told, k, single, rng),
            decision_curve(told, benefit, thresholds, trial.subject, rng),
        ))  # fmt: skip
    return tuple(rows)


def _shared(span: Interval) -> Interval:
    """Wider by the noise that folds share (causal/heterogeneity.py), which resampling patients with
    predictions held fixed does not see."""
    low, high = (span.value + SHARED_NOISE * (end - span.value) for end in (span.low, span.high))
    return Interval(span.value, low, high)


def _harms(
    rule: HeldOutRule, asked: Asked, said: Verdict, rng: np.random.Generator
) -> tuple[Harm, ...]:
    keep, single = said.overlap.keep, said.best
    return tuple(
        Harm(average_effects(nuisance, single, rng, keep), row)
        for nuisance, row in zip(
            asked.harms.values(),
            beside(asked.harms, rule.chosen, rule.single, rng, keep),
            strict=True,
        )
    )
