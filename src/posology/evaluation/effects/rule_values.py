"""The value table: the evaluated rule first, always, with its value or the reason for none.

Gains that the verdict states have the verdict's intervals here too: one number has one interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, Matrix
from posology.evaluation.effects.judged_options import MIN_EFFECTIVE_SAMPLE_SIZE
from posology.evaluation.effects.policy_values import (
    Comparators,
    ErrorFactors,
    RuleValue,
    estimate_rule_values,
    one_hot_probabilities,
    option_scores,
)
from posology.evaluation.effects.reference import reference_outcome
from posology.evaluation.effects.restricted_rule import (
    count_differently_treated,
    is_enough_against,
)
from posology.evaluation.effects.shared_noise import shared_noise_factor
from posology.evaluation.effects.verdict import Verdict
from posology.evaluation.effects.verdict_sentence import describe_too_few
from posology.evaluation.intervals import Difference, Interval

_NAN = float("nan")
_NO_GAIN_STATED = Difference(_NAN, _NAN, _NAN, _NAN)


@dataclass(frozen=True, slots=True, eq=False)
class RuleChoices:
    """The probabilities of the options under a rule."""

    probability: Matrix
    """Restricted to the options that can be judged."""
    unrestricted: Matrix | None = None
    """Among all options that are allowed; None: the same."""
    refits: tuple[Matrix, ...] | None = None
    """If cross-fitted: the probabilities of the rule learned again, as for the verdict's refits.
    Values are means of the runs."""


def judge_rules(
    nuisance: Nuisance,
    verdict: Verdict,
    name: str,
    others: Mapping[str, RuleChoices],
    rng: np.random.Generator,
) -> tuple[RuleValue, ...]:
    """The rule of the verdict, other rules, each judged option for all, and observed treatment.

    A value is not stated where fewer than 50 patients, after weighting, were treated as the rule
    recommends; a gain over the best single option neither where too few would be treated
    differently.

    Args:
        nuisance: of the patients.
        verdict: the verdict on the evaluated rule.
        name: of the evaluated rule.
        others: rules to compare it with.
        rng: of the resamples.
    """
    overlap = verdict.overlap
    mine = one_hot_probabilities(verdict.chosen_by_run, nuisance.trial.n_options)
    if not overlap.judged:
        shares = tuple(mine.mean(axis=0).tolist())
        unknown = Interval(_NAN, _NAN, _NAN)
        unstated = _NO_GAIN_STATED
        return (RuleValue(name, unknown, unstated, unstated, shares, 0.0, 0.0, verdict.headline),)
    runs = _probabilities_by_run(nuisance, verdict, name, others)
    rules = {rule: np.mean(of_run, axis=0) for rule, of_run in runs.items()}
    learned = [name, *(other for other, choices in others.items() if choices.refits is not None)]
    rows = estimate_rule_values(
        nuisance,
        rules,
        Comparators(
            best_single=verdict.best_single_by_run,
            reference=reference_outcome(nuisance, verdict.reference),
            singles=overlap.judged,
            observed=verdict.reference.observed,
        ),
        rng,
        overlap.population,
        _error_factors(nuisance, verdict, {rule: runs[rule] for rule in learned}),
    )
    population = overlap.population
    restricted = {name: float(verdict.rule.restricted[population].mean())} | {
        other: _restricted_share(choices, overlap.is_judged, population)
        for other, choices in others.items()
    }
    stated = [
        _state(nuisance, replace(row, restricted_share=restricted[row.rule]), runs, verdict)
        if row.rule in runs
        else _without_value(row)
        for row in (_with_gains_of(verdict, row, row.rule == name) for row in rows[:-1])
    ]
    return (*stated, rows[-1])


def _with_gains_of(verdict: Verdict, row: RuleValue, is_evaluated: bool) -> RuleValue:
    """The row with the gains that the verdict states, of the rule or of the one option it gives."""
    compared, best = verdict.against_reference, verdict.best_single_index
    if compared is None:
        return row
    if is_evaluated:
        return replace(row, gain=verdict.gain or row.gain, reference_gain=compared.rule)
    option = int(np.argmax(row.option_shares))
    if row.option_shares[option] < 1:
        return row
    is_same = verdict.best_singles == verdict.best_single
    gain = compared.between(option, best) if is_same else None
    over_reference = compared.over_reference(option)
    return replace(row, gain=gain or row.gain, reference_gain=over_reference or row.reference_gain)


_Runs = dict[str, Float64[np.ndarray, "run decision treatment"]]
"""Probabilities of each rule by run; one run of a rule that was not learned again."""


def _probabilities_by_run(
    nuisance: Nuisance, verdict: Verdict, name: str, others: Mapping[str, RuleChoices]
) -> _Runs:
    one_hot = np.eye(nuisance.trial.n_options)
    return {name: one_hot[verdict.chosen_by_run]} | {
        other: np.stack([choices.probability, *(choices.refits or ())])
        for other, choices in others.items()
    }


def _error_factors(nuisance: Nuisance, verdict: Verdict, runs: _Runs) -> dict[str, ErrorFactors]:
    """Factors on the errors of the gains of rules that were learned on the folds of the verdict."""
    if verdict.refits is None:
        return {}
    scores, population = nuisance.scores, verdict.overlap.population
    subject = nuisance.trial.subject[population]
    reference = reference_outcome(nuisance, verdict.reference)[population]
    singles = [option_scores(scores, run.best_single)[population] for run in verdict.runs]
    factors = {}
    for rule, probabilities in runs.items():
        values = [(p * scores).sum(axis=1)[population] for p in probabilities]
        over_single = [value - single for value, single in zip(values, singles, strict=True)]
        over_reference = [value - reference for value in values]
        factors[rule] = (
            shared_noise_factor(np.mean(over_single, axis=0), over_single, subject),
            shared_noise_factor(np.mean(over_reference, axis=0), over_reference, subject),
        )
    return factors


def _restricted_share(choices: RuleChoices, is_judged: np.ndarray, population: Mask) -> float:
    if choices.unrestricted is None:
        return 0.0
    return float(choices.unrestricted[population][:, ~is_judged].sum(axis=1).mean())


def _without_value(row: RuleValue) -> RuleValue:
    """The row, without a value if too few patients were treated so."""
    if row.effective_sample_size >= MIN_EFFECTIVE_SAMPLE_SIZE:
        return row
    return replace(
        row,
        value=Interval(_NAN, _NAN, _NAN),
        gain=_NO_GAIN_STATED,
        reference_gain=_NO_GAIN_STATED,
        reason=f"effective sample size {row.effective_sample_size:,.0f}, below "
        f"{MIN_EFFECTIVE_SAMPLE_SIZE:.0f}",
    )


def _state(nuisance: Nuisance, row: RuleValue, runs: _Runs, verdict: Verdict) -> RuleValue:
    """The row of a rule, without what too few patients support."""
    row = _without_value(row)
    probability = runs[row.rule]
    if row.reason or (probability.max(axis=-1) < 1).any():
        return row
    chosen, population = probability.argmax(axis=-1), verdict.overlap.population
    if not is_enough_against(nuisance, chosen, verdict.reference.option, population):
        row = replace(row, reference_gain=_NO_GAIN_STATED)
    single = verdict.best_single_by_run
    single = single if len(single) == len(chosen) else single[:1]
    differing = count_differently_treated(nuisance, chosen, single, population)
    if differing.is_enough or not differing.patients:
        return row
    return replace(row, gain=_NO_GAIN_STATED, reason=describe_too_few(differing))
