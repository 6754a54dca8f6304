"""One small fitted policy of every kind, on one synthetic cohort; fitted once a session."""

import functools
from dataclasses import replace

import numpy as np

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.history import History
from posology.domain.policy import OutcomePredictor, Policy, allow_all_treatments
from posology.domain.study import Preference, Rule
from posology.learners.effects.policy import EffectLearner
from posology.learners.guidelines.formula import build_formula_policy, build_rule_policy
from posology.learners.guidelines.preference_list import PreferenceListPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner
from posology.learners.outcome_models.kernel_regression import KernelLearner
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.outcome_models.random_forest import RandomForestLearner
from posology.learners.outcome_models.tuned_boosting import TunedBoostingLearner
from posology.learners.recurrent.joint import JointValues
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.recurrent.network import RecurrentSizes
from posology.learners.recurrent.schedule import Schedule
from posology.learners.stack.learner import StackLearner
from posology.learners.stack.members import MemberLearner
from tests.builders.small_cohorts import policy_outputs
from tests.builders.synthetic_iwpc import cohort as synthetic_iwpc_cohort
from tests.builders.synthetic_iwpc import with_targets

NAMES = (
    "fixed",
    "clinical_formula",
    "pgx_formula",
    "formula_refit",
    "logistic",
    "forest",
    "boosting",
    "tuned_boosting",
    "lightgbm",
    "kernel",
    "stack",
    "effects",
    "posology_paper",
    "posology_supervised",
    "posology",
    "lstm",
    "transformer",
    "cnn",
    "condensed",
    "carried",
    "carried_condensed",
    "dosed",
    "order",
    "ridge_margin",
    "boosting_margin",
    "fitted_values",
    "implicit",
    "conservative",
    "cloning",
    "recurrent",
    "joint",
    "foretelling",
    "foretelling_condensed",
)

GUIDELINE = Rule(
    "order",
    "order",
    "made up",
    order=(Preference(("high", "low"), visible=("SEX//male",)), Preference(("low", "medium"))),
)
SMALL = Sizes(16, 8, 16, 2, 4, 0.1)
NETWORKS = {
    "posology_supervised": SMALL,
    "lstm": replace(SMALL, encoder="lstm"),
    "transformer": replace(SMALL, encoder="transformer"),
    "cnn": replace(SMALL, encoder="cnn"),
    "condensed": replace(SMALL, last_steps=2),
    "carried": replace(SMALL, history_summary=True),
    "carried_condensed": replace(SMALL, history_summary=True, last_steps=2),
    "foretelling": replace(SMALL, history_summary=True),
    "foretelling_condensed": replace(SMALL, history_summary=True, last_steps=2),
}
FEW = QNetworkSettings(hidden=16, members=2, batch=64, epochs=4, lags=2, code_steps=2)
TUNED = TunedBoostingLearner(round_counts=(5, 10), folds=2, bags=2, dose_losses=("squared_error",))


def small_network(seed: int) -> Supervised:
    """Stands for the recipe's network, which would take minutes."""
    return Supervised(SMALL, Training(batch=64, epochs=2, seed=seed))


SMALL_STACK = StackLearner(
    small_network,
    lambda _train, seed: small_network(seed),
    lambda _train, seed: (
        MemberLearner("boosting", replace(TUNED, seed=seed), learns_from_validation=True),
        MemberLearner("kernel", KernelLearner(cosines=40, seed=seed), learns_from_validation=True),
    ),
)
BRIEF = RecurrentQ(RecurrentSizes(state=8, hidden=8, members=2), schedule=Schedule(64, 20, 20))
OFFLINE = {
    "fitted_values": PessimisticFQI(FEW),
    "implicit": ImplicitQLearning(FEW),
    "conservative": ConservativeQLearning(FEW),
    "cloning": BehaviourCloning(FEW),
    "recurrent": BRIEF,
    "joint": JointValues(BRIEF, PessimisticFQI(replace(FEW, responses=True))),
}
READS_NOTHING = {"fixed"}
"""Policies that predict the same of every patient."""
GIVES_NO_DOSE = {"effects", "order", *OFFLINE}
"""Effects, preference lists and values: they choose an option, but no dose."""


def class_of(name: str) -> str:
    """Class of the policy of this name in NAMES."""
    offline = dict.fromkeys(OFFLINE, "RecentWindowPolicy")
    formulas = ("fixed", "clinical_formula", "pgx_formula", "formula_refit")
    classes = {
        "logistic": "LinearPolicy",
        "forest": "TreePolicy",
        "boosting": "TreePolicy",
        "tuned_boosting": "TreePolicy",
        "lightgbm": "TreePolicy",
        "kernel": "LinearPolicy",
        "stack": "StackedPolicy",
        "effects": "EffectPolicy",
        "order": "PreferenceListPolicy",
        "ridge_margin": "DoseGridPolicy",
        "boosting_margin": "DoseGridPolicy",
        **dict.fromkeys(formulas, "FormulaPolicy"),
        **offline,
        "recurrent": "RecurrentPolicy",
        "joint": "JointValuePolicy",
    }
    return classes.get(name, "NetworkPolicy")


@functools.cache
def iwpc_cohort() -> Cohort:
    """The synthetic IWPC cohort that every policy here is fitted on."""
    return synthetic_iwpc_cohort()


@functools.cache
def fitted_policy(name: str) -> Policy:
    """The policy of this name in NAMES, fitted on `iwpc_cohort`."""
    train, validation = select_split(iwpc_cohort(), TRAIN), select_split(iwpc_cohort(), VALIDATION)
    rules = {rule.name: rule for rule in train.study.rules}
    small = Supervised(NETWORKS.get(name, SMALL), Training(batch=64, epochs=3))
    if name.startswith("foretelling"):
        return small.fit(with_targets(train), with_targets(validation))
    if name in NETWORKS:
        return small.fit(train, validation)
    match name:
        case "order":
            return PreferenceListPolicy(train.study.formulary, train.profile, GUIDELINE)
        case "dosed":
            return small.fit(with_option_doses(train), with_option_doses(validation))
        case "formula_refit":
            return build_formula_policy(train.profile.formulas[0], train)
        case "logistic":
            return LogisticLearner().fit(train, validation)
        case "forest":
            return RandomForestLearner(tree_count=20).fit(train, validation)
        case "boosting":
            return GradientBoostingLearner(max_rounds=10).fit(train, validation)
        case "tuned_boosting":
            return TUNED.fit(train, validation)
        case "lightgbm":
            return replace(TUNED, engine="lightgbm").fit(train, validation)
        case "kernel":
            return KernelLearner(cosines=40).fit(train, validation)
        case "stack":
            return SMALL_STACK.fit(train, validation)
        case "ridge_margin":
            return DoseRidgeLearner().fit(with_option_doses(train), with_option_doses(validation))
        case "boosting_margin":
            return DoseBoostingLearner(max_rounds=30).fit(
                with_option_doses(train), with_option_doses(validation)
            )
        case "effects":
            return EffectLearner(gate=False).fit(
                with_random_treatments(train), with_random_treatments(validation)
            )
        case "fitted_values" | "implicit" | "conservative" | "cloning" | "recurrent" | "joint":
            return OFFLINE[name].fit(
                with_random_treatments(train), with_random_treatments(validation)
            )
        case "posology_paper":
            paper = Supervised(
                Sizes(16, 8, 16, 1, 1, 0.0), Training(batch=32, epochs=2, patience=0)
            )
            return paper.fit(train, validation)
        case "posology":
            second = Reinforcement(Training(batch=64, epochs=2))
            return second.fit(small.fit(train, validation), train, validation)
    return build_rule_policy(rules[name], train)


def with_option_doses(cohort: Cohort) -> Cohort:
    """The cohort with random treatments, doses of each option, and one numeric outcome."""
    rng, count = np.random.default_rng(1), len(cohort)
    given = rng.integers(0, 3, count).astype(np.int32)
    low, high = np.array([[5.0, 10.0], [30.0, 40.0], [60.0, 80.0]])[given].T
    margin = ((given == cohort.best_treatment) - 0.5 + rng.normal(0, 0.3, count)).astype(np.float32)
    return replace(
        cohort,
        study=replace(
            cohort.study, dose=None, outcome=replace(cohort.study.outcome, kind="change")
        ),
        treatment=given,
        dose=np.where(rng.random(count) < 0.5, low, high).astype(np.float32),
        target_distance=margin,
        effective=(margin > 0).astype(np.float32),
        best_treatment=np.full(count, -1, np.int32),
        potential_rewards=np.full((count, 3), np.nan, np.float32),
    )


def with_random_treatments(cohort: Cohort) -> Cohort:
    """The same patients treated at random: effects need treatments that failed."""
    given = np.random.default_rng(0).integers(0, 3, len(cohort)).astype(np.int32)
    effective = (given == cohort.best_treatment).astype(np.float32)
    return replace(
        cohort, treatment=given, effective=effective, outcome_observed=cohort.best_treatment >= 0
    )


def all_outputs(policy: Policy, history: History, decisions: np.ndarray) -> list[np.ndarray]:
    """Everything that a policy predicts, with every option allowed."""
    allowed = allow_all_treatments(decisions, policy.formulary)
    outputs = list(policy_outputs(policy, history, decisions, allowed).values())
    if isinstance(policy, OutcomePredictor):
        predicted = policy.predict_outcomes(history, decisions)
        outputs += [predicted.diagnosis, predicted.progression, predicted.survival]
    return outputs


def assert_outputs_equal(
    first: list[np.ndarray], second: list[np.ndarray], tolerance: float = 1e-5
) -> None:
    """Compare two results of `all_outputs`."""
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
