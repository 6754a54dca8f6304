"""What a saved policy would bring on patients whom it has not seen, where no truth is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.causal.doubly_robust_scores import fit_nuisance, select_nuisance_rows
from posology.causal.propensity import randomised_propensity
from posology.causal.trial import Mask, Matrix, select_rows
from posology.cli.effect_run import Judged, guidelines, harms_of, permitted, question
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, part
from posology.domain.policy import Policy
from posology.evaluation.effects.effect_study import analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.learners.baselines import baselines
from posology.learners.effects.target_trial import StudyTrial, study_trial

BLOCK = 4096
"""Decisions asked of a policy at once."""
SURE = 0.999
"""A policy whose options have all less chance than this draws among them."""


def run_policy(
    policy: Policy,
    cohort: Cohort,
    most: int,
    rng: np.random.Generator,
    told: Callable[[str], None],
) -> Judged:
    """Judge what the policy puts first on the test split, beside classical models.

    Who was given what, and what was to be expected, is learned from all patients, each from the
    others; the best single option, like the policy, from patients outside the test split.

    Args:
        most: decisions beside those of the test split.
    """
    told("reading patients")
    everybody = study_trial(cohort, most, rng, cohort.split == TEST)
    told(f"{len(everybody.trial):,} decisions: propensities and outcomes")
    chances = randomised_propensity(everybody.trial) if cohort.study.given.randomised else None
    nuisance = fit_nuisance(everybody.trial, rng, chances)
    test = cohort.split[everybody.row] == TEST
    asked = of_test(everybody, test)
    allowed = permitted(cohort, asked)
    learned_from = nuisance.scores[~test].mean(axis=0)
    single = np.where(allowed, learned_from, -np.inf).argmax(axis=1)
    drawn = probabilities(policy, cohort, asked.row, allowed)
    rule = HeldOutRule(
        fold=np.zeros(len(asked.trial), np.int64),
        predicted_effect=_over(policy, cohort, asked, single),
        chosen=drawn.argmax(axis=1),
        best_single=single,
        personalised_folds=None,
    )
    rules = guidelines(cohort, asked, allowed)
    if drawn.max(axis=1).min() < SURE:
        rules = {"the policy as it draws": drawn, **rules}
    rules |= _classical(cohort, asked, allowed, told)
    harms = {
        name: select_nuisance_rows(found, test)
        for name, found in harms_of(cohort, everybody, nuisance, rng, told).items()
    }
    told("judging, 2,000 resamples")
    found = analyse_effects(
        select_nuisance_rows(nuisance, test), rule, question(cohort, asked, rules, harms, ()), rng
    )
    return Judged(asked, select_nuisance_rows(nuisance, test), found)


def of_test(asked: StudyTrial, test: Mask) -> StudyTrial:
    """The same of the test split alone."""
    return replace(
        asked,
        trial=select_rows(asked.trial, test),
        row=asked.row[test],
        followed=asked.followed[test],
    )


def probabilities(
    policy: Policy,
    cohort: Cohort,
    row: Int64[np.ndarray, " decision"],
    allowed: Bool[np.ndarray, "decision option"],
) -> Matrix:
    """The policy's, of some rows of a cohort, a block at a time."""
    return np.concatenate([
        policy.choice_probabilities(cohort.history, cohort.last_step[row[at]], allowed[at])
        for at in _blocks(len(row))
    ])  # fmt: skip


def _over(
    policy: Policy, cohort: Cohort, asked: StudyTrial, single: Int64[np.ndarray, " decision"]
) -> Float64[np.ndarray, "decision treatment"]:
    """What the policy believes each option adds to the best single one."""
    everything = np.ones((len(asked.row), asked.trial.n_options), dtype=bool)
    believed = np.concatenate([
        policy.predict_effectiveness(
            cohort.history, cohort.last_step[asked.row[at]], everything[at]
        ).mean(axis=2)
        for at in _blocks(len(asked.row))
    ])  # fmt: skip
    return believed - believed[np.arange(len(single)), single][:, None]


def _classical(
    cohort: Cohort,
    asked: StudyTrial,
    allowed: Bool[np.ndarray, "decision option"],
    told: Callable[[str], None],
) -> dict[str, Matrix]:
    """Models of the field, learned from the patients that the policy was."""
    train, validation = (part(cohort, split) for split in (TRAIN, VALIDATION))
    named, rules = {rule.name for rule in cohort.study.rules}, {}
    for name, make in baselines(train, validation):
        if name not in named:  # guidelines stand there already
            told(f"beside it: {name}")
            rules[name] = probabilities(make(), cohort, asked.row, allowed)
    return rules


def _blocks(rows: int) -> list[slice]:
    return [slice(at, at + BLOCK) for at in range(0, max(rows, 1), BLOCK)]
