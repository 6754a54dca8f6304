"""What a policy is compared with: the study's rules, refitted formulas, classical models."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial

from posology.domain.cohort import Cohort
from posology.domain.policy import Learner, Policy
from posology.learners.guidelines.formula import build_formula_policy, build_rule_policy
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.training_loop import Epoch
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.outcome_models.random_forest import RandomForestLearner
from posology.learners.outcome_models.target_distance import has_numeric_outcome
from posology.learners.recipes import paper_recipe, recipe_for_cohort

FORMULA_CODES = ("FORMULA",)
"""Prefix of the codes that hold a published formula's prediction."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A learner to compare with, and the cohorts that it applies to."""

    name: str
    """Model name in tables and JSON rows."""
    learner: Learner
    applies_to: Callable[[Cohort], bool] = lambda _cohort: True


def has_formula(train: Cohort) -> bool:
    """Whether a published formula's prediction is among the codes."""
    return bool(train.profile.formulas)


FORMULA_REFIT = "formula_refit"
"""Name of the study's formula, refitted."""
BASELINES: tuple[Baseline, ...] = (
    Baseline("logistic", LogisticLearner(excluded_prefixes=FORMULA_CODES)),
    Baseline("forest", RandomForestLearner(excluded_prefixes=FORMULA_CODES)),
    Baseline("boosting", GradientBoostingLearner(excluded_prefixes=FORMULA_CODES)),
    Baseline("boosting_formula", GradientBoostingLearner(), has_formula),
    Baseline("ridge_margin", DoseRidgeLearner(FORMULA_CODES), has_numeric_outcome),
    Baseline(
        "boosting_margin", DoseBoostingLearner(excluded_prefixes=FORMULA_CODES), has_numeric_outcome
    ),
)
"""Learned baselines, fast ones first. Adding one: a file with a learner, and a line here.

They see the same events as the network except the formula's prediction, which only
`boosting_formula` gets. The classical ones learn from a binary outcome, as is usual;
`ridge_margin` and `boosting_margin` learn from the number and the dose, as the network does.
"""


def guidelines(train: Cohort) -> Iterator[tuple[str, Callable[[], Policy]]]:
    """Name and build function of each of the study's rules."""
    for rule in train.study.rules:
        yield rule.name, partial(build_rule_policy, rule, train)


def baselines(train: Cohort, validation: Cohort) -> Iterator[tuple[str, Callable[[], Policy]]]:
    """Name and fit function of every baseline: guidelines, a refitted formula, BASELINES."""
    yield from guidelines(train)
    for formula in train.profile.formulas[:1]:
        yield FORMULA_REFIT, partial(build_formula_policy, formula, train)
    for baseline in BASELINES:
        if baseline.applies_to(train):
            yield baseline.name, partial(baseline.learner.fit, train, validation)


Run = Callable[[Generator[Epoch, None, NetworkPolicy], str, int], tuple[NetworkPolicy, list[Epoch]]]
"""Runs a training generator to its end; arguments: generator, title, maximum number of epochs."""


def fit_networks(
    train: Cohort, validation: Cohort, seed: int, run: Run
) -> dict[str, tuple[NetworkPolicy, list[Epoch]]]:
    """Our network after each phase, with their learning curves."""
    recipe = recipe_for_cohort(train, seed)
    supervised = run(
        recipe.supervised.fit_epochs(train, validation),
        "first phase: supervised",
        recipe.supervised.training.epochs,
    )
    reinforced = run(
        recipe.reinforcement.fit_epochs(supervised[0], train, validation),
        "second phase: reinforcement",
        recipe.reinforcement.training.epochs,
    )
    return {"network": reinforced, "posology_supervised": supervised}


def fit_paper(
    train: Cohort, validation: Cohort, seed: int, run: Run
) -> tuple[NetworkPolicy, list[Epoch]]:
    """The network of the paper's recipe, with its learning curve."""
    paper = paper_recipe(seed).supervised
    epochs = paper.fit_epochs(train, validation)
    return run(epochs, "the paper's recipe", paper.training.epochs)


def run_quietly(
    epochs_of_fit: Generator[Epoch, None, NetworkPolicy], title: str, epochs: int
) -> tuple[NetworkPolicy, list[Epoch]]:
    """A `Run` without progress on the screen."""
    del title, epochs
    curve: list[Epoch] = []
    while True:
        try:
            curve.append(next(epochs_of_fit))
        except StopIteration as end:
            return end.value, curve
