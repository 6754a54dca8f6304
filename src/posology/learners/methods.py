"""Every learner by name, for `posology fit --method` and the Python API.

A new method is one file with a learner and one line in METHODS.
"""

from collections.abc import Callable
from dataclasses import dataclass

from posology.domain.policy import Learner
from posology.errors import UserError
from posology.learners.effects.dose_policy import EffectDoseLearner
from posology.learners.effects.policy import EffectLearner
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.pessimistic_fqi import LEARNING_RATE, PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.tabular_policy import StateCodeLearner
from posology.learners.outcome_models.dose_boosting import DoseBoostingLearner
from posology.learners.outcome_models.dose_ridge import DoseRidgeLearner
from posology.learners.outcome_models.gradient_boosting import GradientBoostingLearner
from posology.learners.outcome_models.kernel_regression import KernelLearner
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.learners.outcome_models.random_forest import RandomForestLearner
from posology.learners.outcome_models.tuned_boosting import TunedBoostingLearner
from posology.learners.outcome_models.tuned_dose_boosting import TunedDoseBoostingLearner
from posology.learners.recipes import NetworkLearner
from posology.learners.recurrent.joint import joint_values
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.stack.learner import StackLearner


@dataclass(frozen=True, slots=True)
class Method:
    """A way to learn a policy from a cohort."""

    description: str
    """One line for help texts."""
    build: Callable[[int], Learner]
    """The learner with its default settings and a random seed."""
    learns_from_validation: bool = False
    """Whether it learns from the validation patients, so that nothing can be measured on them."""


METHODS: dict[str, Method] = {
    "network": Method(
        "neural network on the whole history: supervised phase, then reinforcement phase",
        NetworkLearner,
    ),
    "effects": Method(
        "treatment effects per patient (R-learner), one option for all where none vary",
        EffectLearner,
    ),
    "effects_and_doses": Method(
        "treatment effects choose the option, a dose-response curve per option the dose",
        lambda seed: EffectDoseLearner(seed=seed),
    ),
    "joint_values": Method(
        "trajectories: values of a recurrent network and fitted Q, weighed by validation",
        joint_values,
    ),
    "recurrent_q": Method(
        "recurrent network on visits: what comes next, then values of later decisions",
        lambda seed: RecurrentQ(seed=seed),
    ),
    "pessimistic_fqi": Method(
        "offline reinforcement learning: fitted Q iteration with a lower confidence bound",
        lambda seed: PessimisticFQI(QNetworkSettings(learning_rate=LEARNING_RATE, seed=seed)),
    ),
    "iql": Method(
        "offline reinforcement learning: implicit Q-learning",
        lambda seed: ImplicitQLearning(QNetworkSettings(seed=seed)),
    ),
    "cql": Method(
        "offline reinforcement learning: conservative Q-learning",
        lambda seed: ConservativeQLearning(QNetworkSettings(seed=seed)),
    ),
    "behaviour_cloning": Method(
        "imitate the clinicians: predict the treatment they choose",
        lambda seed: BehaviourCloning(QNetworkSettings(seed=seed)),
    ),
    "tabular": Method(
        "offline reinforcement learning on counts; each decision needs one STATE code",
        lambda _seed: StateCodeLearner(),
        learns_from_validation=True,
    ),
    "logistic": Method(
        "logistic regression on the flattened history", lambda _seed: LogisticLearner()
    ),
    "forest": Method(
        "random forest on the flattened history", lambda seed: RandomForestLearner(seed=seed)
    ),
    "boosting": Method(
        "gradient boosting on the flattened history",
        lambda seed: GradientBoostingLearner(seed=seed),
    ),
    "tuned_boosting": Method(
        "gradient boosting on random columns, bagged, rounds chosen by folds",
        lambda seed: TunedBoostingLearner(seed=seed),
        learns_from_validation=True,
    ),
    "lightgbm": Method(
        "the same grown by LightGBM, which the extra `boosting` installs",
        lambda seed: TunedBoostingLearner("lightgbm", seed=seed),
        learns_from_validation=True,
    ),
    "kernel": Method(
        "kernel regression by random Fourier features",
        lambda seed: KernelLearner(seed=seed),
        learns_from_validation=True,
    ),
    "stack": Method(
        "the network with models of other kinds, weighted by what each adds",
        lambda seed: StackLearner(seed=seed),
        learns_from_validation=True,
    ),
    "dose_ridge": Method(
        "ridge regression of a numeric outcome on patient, option and dose",
        lambda _seed: DoseRidgeLearner(),
    ),
    "dose_boosting": Method(
        "gradient boosting of a numeric outcome on patient, option and dose",
        lambda seed: DoseBoostingLearner(seed=seed),
    ),
    "tuned_dose_boosting": Method(
        "the same on random columns, bagged, rounds chosen by folds",
        lambda seed: TunedDoseBoostingLearner(seed=seed),
        learns_from_validation=True,
    ),
}


def build_learner(name: str, seed: int = 0) -> Learner:
    """The learner of a name in METHODS; UserError lists the names where there is none."""
    if name not in METHODS:
        raise UserError(f"--method {name}: is unknown; choose one of {', '.join(METHODS)}.")
    return METHODS[name].build(seed)
