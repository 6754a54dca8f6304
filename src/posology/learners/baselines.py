"""Everything a study is compared with: its rules, the refitted formulas, classical models."""

from collections.abc import Callable, Generator, Iterator

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.learners.features.dose_grid import modelled_dose_levels
from posology.learners.guidelines.formula import build_formula_policy, build_rule_policy
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.training_loop import Epoch
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.outcome_models.random_forest import RandomForestLearner
from posology.learners.recipes import paper_recipe, recipe_for_cohort


def baselines(train: Cohort, validation: Cohort) -> Iterator[tuple[str, Callable[[], Policy]]]:
    """(name, how to make it) for every baseline, cheap ones first.

    `boosting` and the other classical models see the same events as the network, but for the
    formula's answer; `boosting_formula` is given that too. They learn from yes or no, as they are
    used in the field. Where a number says how effective the option given was, `ridge_margin` and
    `boosting_margin` are told it and the dose, as the network is.
    """
    for rule in train.study.rules:
        yield rule.name, lambda rule=rule: build_rule_policy(rule, train)
    for formula in train.profile.formulas[:1]:
        yield "formula_refit", lambda formula=formula: build_formula_policy(formula, train)
    plain = ("FORMULA",)
    yield "logistic", lambda: LogisticLearner(excluded_prefixes=plain).fit(train, validation)
    yield "forest", lambda: RandomForestLearner(excluded_prefixes=plain).fit(train, validation)
    yield (
        "boosting",
        lambda: GradientBoostingLearner(excluded_prefixes=plain).fit(train, validation),
    )
    if train.profile.formulas:
        yield (
            "boosting_formula",
            lambda: GradientBoostingLearner(excluded_prefixes=()).fit(train, validation),
        )
    if (
        modelled_dose_levels(train)
        and train.target_distance is not None
        and not np.isnan(train.target_distance).all()
    ):
        yield (
            "ridge_margin",
            lambda: DoseRidgeLearner(excluded_prefixes=plain).fit(train, validation),
        )
        yield (
            "boosting_margin",
            lambda: DoseBoostingLearner(excluded_prefixes=plain).fit(train, validation),
        )


Run = Callable[[Generator[Epoch, None, NetworkPolicy], str, int], tuple[NetworkPolicy, list[Epoch]]]
"""Runs a fitting to its end, given a title and the most epochs it may take."""


def networks(
    train: Cohort, validation: Cohort, seed: int, run: Run
) -> dict[str, tuple[NetworkPolicy, list[Epoch]]]:
    """Our network after each phase, and the paper's recipe, with their learning curves."""
    mine, theirs = recipe_for_cohort(train, seed), paper_recipe(seed)
    first = run(
        mine.supervised.fit_epochs(train, validation),
        "first phase: supervised",
        mine.supervised.training.epochs,
    )
    second = run(
        mine.reinforcement.fit_epochs(first[0], train, validation),
        "second phase: reinforcement",
        mine.reinforcement.training.epochs,
    )
    seed_paper = run(
        theirs.supervised.fit_epochs(train, validation),
        "the paper's recipe",
        theirs.supervised.training.epochs,
    )
    return {"posology": second, "posology_supervised": first, "posology_paper": seed_paper}


def run_quietly(
    fitting: Generator[Epoch, None, NetworkPolicy], title: str, epochs: int
) -> tuple[NetworkPolicy, list[Epoch]]:
    """A Run without anything on the screen."""
    del title, epochs
    curve: list[Epoch] = []
    while True:
        try:
            curve.append(next(fitting))
        except StopIteration as end:
            return end.value, curve
