"""Champion and challenger on the same fresh patients: what the gate judges."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.advice.uncertainty.evidence import UncertaintyEvidence
from posology.artifact import Artifact
from posology.causal.doubly_robust_scores import Nuisance, fit_nuisance
from posology.causal.propensity import Propensity, randomised_propensity
from posology.causal.trial import Mask, Trial
from posology.domain.cohort import Cohort, subset_decisions, windows_closed
from posology.domain.policy import AllowedMask, Policy
from posology.domain.safety import allowed_in_cohort, history_facts
from posology.domain.safety_rules.check import check_safety, safety_rules
from posology.domain.safety_rules.facts import UNKNOWN
from posology.domain.serialization import deserialize
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.table1.predictions import predict_cohort
from posology.evaluation.table1.subgroups import find_subgroups
from posology.learners.effects.target_trial import StudyTrial, build_study_trial
from posology.lifecycle.advice_log import ACCEPTED, MatchedAdvice
from posology.lifecycle.gate.evidence import (
    Coverage,
    GateEvidence,
    Predicted,
    Safety,
    SinceFirst,
)
from posology.workflows.effect_study import allowed_and_judged, allowed_options
from posology.workflows.over_time.harms import Choices, compare_harms
from posology.workflows.policies.choices import choice_probabilities
from posology.workflows.progress import Progress
from posology.workflows.uncertainty.measure import coverage_rows

_PROBED = 500
"""Fresh decisions at which each option is forbidden in turn, to see that it is never chosen."""
_FEWEST = 50
"""Fresh patients whose window is over without whom nothing is estimated: no plan takes fewer."""
_INTERVAL = "dose_in_plan_for"


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """The two models, and where they come from."""

    champion: Artifact
    challenger: Artifact
    first: Artifact | None = None
    """The registry's first champion, in the same vocabulary; None while it is the champion."""


def gather_evidence(
    pair: Pair,
    fresh: Cohort,
    advice: MatchedAdvice | None,
    rng: np.random.Generator,
    progress: Progress,
) -> GateEvidence:
    """Judge both on patients from whom neither learned.

    Args:
        pair: both in the vocabulary of the cohort.
        fresh: the patients (`lifecycle/fresh_patients`).
        advice: what was recommended at each decision, and whether it was accepted.
        rng: of the folds.
        progress: called with each step.
    """
    safety = _compare_safety(pair, fresh)
    if fresh.study.outcome.kind == "dose_class":
        return _against_truth(pair, fresh, safety)
    patients, caused = len(np.unique(fresh.subject)), _accepted(advice)
    closed = windows_closed(fresh)
    if len(np.unique(fresh.subject[closed])) < _FEWEST:
        nobody = np.zeros(0)
        return GateEvidence(
            nobody.astype(np.int64), nobody, nobody > 0, safety, fresh=patients, caused=caused
        )
    fresh = subset_decisions(fresh, closed)
    progress(f"{len(fresh):,} decisions of fresh patients: propensities and outcomes")
    trial = build_study_trial(fresh, max(len(fresh), 1), rng)
    own = None if advice is None else advice.select(np.flatnonzero(closed)[trial.row])
    trial = replace(trial, trial=_with_advice(trial.trial, own))
    nuisance = _fit(fresh, trial, own, rng)
    allowed = allowed_options(fresh, trial)
    overlap = assess_overlap(trial.trial, nuisance.propensity, allowed)
    judged = allowed_and_judged(allowed, overlap)
    rows = overlap.population if overlap.judged else np.zeros(len(trial.trial), dtype=bool)
    choices = _choices(pair, fresh, trial.row, judged, rows)
    harms = compare_harms(fresh, trial, nuisance, choices, progress)
    return GateEvidence(
        subject=trial.trial.subject[rows],
        gain=choices.change_of(nuisance.scores),
        differs=choices.differs,
        safety=safety,
        predicted=_predictions(pair, fresh, trial) if trial.is_binary else None,
        harms=harms.changes,
        unestimated=harms.unestimated,
        since_first=None
        if choices.first is None
        else SinceFirst(choices.change_since_first(nuisance.scores), harms.since_first),
        groups={f"{g.family}: {g.name}": g.mask[trial.row][rows] for g in find_subgroups(fresh)},
        fresh=patients,
        caused=caused,
    )


def _choices(
    pair: Pair,
    fresh: Cohort,
    at: Int64[np.ndarray, " decision"],
    options: AllowedMask,
    rows: Mask,
) -> Choices:
    """What each model chooses at some decisions among these options."""
    champion, challenger, first = (
        None if model is None else choice_probabilities(model.policy, fresh, at, options)
        for model in (pair.champion, pair.challenger, pair.first)
    )
    assert champion is not None
    assert challenger is not None
    return Choices(rows, champion, challenger, first)


def _accepted(advice: MatchedAdvice | None) -> int:
    return 0 if advice is None else int((advice.accepted == ACCEPTED).sum())


def _with_advice(arms: Trial, advice: MatchedAdvice | None) -> Trial:
    """The trial, whose covariates also know what was recommended: it moves the choice."""
    if advice is None or not (advice.option >= 0).any():
        return arms
    recommended = (advice.option[:, None] == np.arange(arms.n_options)).astype(np.float64)
    varying = recommended[:, recommended.std(axis=0) > 0]
    return replace(arms, covariates=np.hstack([arms.covariates, varying]))


def _fit(
    fresh: Cohort, trial: StudyTrial, advice: MatchedAdvice | None, rng: np.random.Generator
) -> Nuisance:
    arms = trial.trial
    known = randomised_propensity(arms) if fresh.study.assignment.randomised else None
    nuisance = fit_nuisance(arms, rng, known)
    logged = fresh.logged_probability[trial.row].astype(np.float64)
    if advice is not None:
        logged = np.where(np.isnan(advice.probability), logged, advice.probability)
    return replace(nuisance, propensity=_with_logged(nuisance.propensity, arms.treatment, logged))


def _with_logged(propensity: Propensity, treatment: np.ndarray, logged: np.ndarray) -> Propensity:
    """The propensities, with the recorded probability of the option given where there is one."""
    rows = np.flatnonzero(np.isfinite(logged))
    if not len(rows):
        return propensity
    probability = propensity.probability.copy()
    given = treatment[rows]
    rest = 1 - np.minimum(probability[rows, given], 1 - 1e-9)
    probability[rows] *= ((1 - logged[rows]) / rest)[:, None]
    probability[rows, given] = logged[rows]
    return replace(propensity, probability=probability)


def _against_truth(pair: Pair, fresh: Cohort, safety: Safety) -> GateEvidence:
    """Of a study whose outcome is the right dose: each option's reward is known."""
    known = np.isnan(fresh.potential_rewards).sum(axis=1) == 0
    rewards = np.nan_to_num(fresh.potential_rewards).astype(np.float64)
    choices = _choices(pair, fresh, np.arange(len(fresh)), allowed_in_cohort(fresh), known)
    since = None if choices.first is None else SinceFirst(choices.change_since_first(rewards))
    return GateEvidence(
        subject=fresh.subject[known],
        gain=choices.change_of(rewards),
        differs=choices.differs,
        safety=safety,
        since_first=since,
        groups={f"{g.family}: {g.name}": g.mask[known] for g in find_subgroups(fresh)},
        coverage=_dose_coverage(pair.challenger, fresh),
    )


def _dose_coverage(model: Artifact, fresh: Cohort) -> tuple[Coverage, ...]:
    stored = model.evidence.get(UNCERTAINTY)
    intervals = None if stored is None else deserialize(UncertaintyEvidence, stored, {}).dose
    if intervals is None:
        return ()
    found = coverage_rows(predict_cohort(model.policy, fresh), fresh, intervals)
    rows = [r for r in found if r["metric"] == _INTERVAL and r["group"] == "all" and r["n"]]
    return tuple(
        Coverage("dose", intervals.coverage, round(r["value"] * r["n"]), r["n"]) for r in rows
    )


def _predictions(pair: Pair, fresh: Cohort, trial: StudyTrial) -> Predicted:
    """Predicted probability of the option that was given, where the outcome is known."""
    row = trial.row[trial.is_followed_up]
    steps, given = fresh.last_step[row], fresh.treatment[row]
    everything = np.ones((len(row), trial.trial.n_options), dtype=bool)
    champion, challenger = (
        model.policy.predict_effectiveness(fresh.history, steps, everything).mean(axis=2)
        for model in (pair.champion, pair.challenger)
    )
    weight = np.ones(len(row)) if fresh.censoring_weight is None else fresh.censoring_weight[row]
    at = np.arange(len(row))
    return Predicted(
        champion=champion[at, given],
        challenger=challenger[at, given],
        effective=fresh.effective[row].astype(np.float64),
        weight=np.asarray(weight, dtype=np.float64),
        subject=fresh.subject[row],
    )


def _compare_safety(pair: Pair, fresh: Cohort) -> Safety:
    mask, rows = allowed_in_cohort(fresh), np.arange(len(fresh))
    chosen = {
        name: choice_probabilities(model.policy, fresh, rows, mask)
        for name, model in (("champion", pair.champion), ("challenger", pair.challenger))
    }
    forbidden = np.where(mask, 0.0, chosen["challenger"]).max(initial=0.0)
    unknown = _unknown_options(fresh)
    return Safety(
        forbidden=float(max(forbidden, _probe(pair.challenger.policy, fresh, mask))),
        unknown_champion=_share(chosen, "champion", unknown),
        unknown_challenger=_share(chosen, "challenger", unknown),
        same_rules=safety_rules(pair.champion.study) == safety_rules(pair.challenger.study),
    )


def _share(chosen: Mapping[str, np.ndarray], name: str, unknown: np.ndarray) -> float:
    return float((chosen[name] * unknown).sum(axis=1).mean()) if len(unknown) else 0.0


def _unknown_options(fresh: Cohort) -> np.ndarray:
    """Which options have a rule at each decision that the facts cannot settle."""
    facts = history_facts(fresh.profile, fresh.history, fresh.last_step, fresh.time)
    check = check_safety(fresh.study, facts)
    names = fresh.study.formulary.names
    unknown = np.zeros((len(fresh), len(names)), dtype=bool)
    for row, rule in enumerate(check.rules):
        columns = [names.index(option) for option in rule.options]
        unknown[:, columns] |= (check.status[:, row] == UNKNOWN)[:, None]
    return unknown


def _probe(policy: Policy, fresh: Cohort, mask: np.ndarray) -> float:
    """The largest probability of an option that is forbidden for the test's sake."""
    rows = np.arange(min(len(fresh), _PROBED))
    largest = 0.0
    for option in range(mask.shape[1]):
        without = mask[rows].copy()
        without[:, option] = False
        possible = rows[without.any(axis=1)]
        if len(possible):
            found = choice_probabilities(policy, fresh, possible, without[possible])
            largest = max(largest, float(found[:, option].max()))
    return largest
