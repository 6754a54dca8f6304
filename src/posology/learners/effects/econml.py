"""EconML's learners as policies, to compare with (optional: the extra `econml`).

They cannot be saved: EconML models need pickle. They have no heterogeneity test: the rule is always
personal.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64

from posology.causal.missing_outcomes import complete_trial
from posology.causal.trial import Matrix, Trial
from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.domain.scaling import mean_and_std
from posology.learners.effects.policy import build_trial
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features
from posology.learners.outcome_models.predictions import choose_most_effective

ECONML_MODELS = ("causal_forest", "x_learner", "dr_learner", "t_learner", "policy_tree")
Covariates = Float64[np.ndarray, "decision feature"]
EffectFunction = Callable[[Covariates], Matrix]


def fit_econml(model: str, trial: Trial, seed: int) -> EffectFunction:
    """Fit one of ECONML_MODELS; return a function to each option's effect over the first.

    Base learners are scikit-learn's GradientBoosting with default settings. `policy_tree` (depth 3)
    gives only the option: 1 for it and 0 for the others.
    """
    if model not in ECONML_MODELS:
        raise ValueError(f"model {model!r}: choose one of {', '.join(ECONML_MODELS)}")
    trial = complete_trial(trial, np.random.default_rng(seed))
    X, mean = _filled(trial.covariates)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EconML on newer scikit-learn
        fitted = _fitted(model, trial, X, seed)

    def predict(covariates: Covariates) -> Matrix:
        Z = np.where(np.isnan(covariates), mean, covariates)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if model == "policy_tree":
                return np.eye(trial.n_options)[np.asarray(fitted.predict(Z)).astype(int)]
            effects = [fitted.effect(Z, T0=0, T1=k) for k in range(1, trial.n_options)]
        return np.column_stack([np.zeros(len(Z)), *effects])

    return predict


@dataclass(frozen=True, slots=True, eq=False)
class EconmlPolicy:
    """The option with the largest effect by an EconML model."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    predict_effects: EffectFunction

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """exp(effect - best effect): a score, 1 for the best option, not a probability."""
        effect = self.predict_effects(
            extract_features(self.spec, history, decisions).astype(np.float64)
        )
        best = np.where(allowed, effect, -np.inf).max(axis=1, keepdims=True)
        return (np.exp(np.minimum(effect - best, 0.0)) * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option with the largest effect."""
        score = self.predict_effectiveness(history, decisions, allowed)[:, :, 0]
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, score))

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """NaN: effects give no dose."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


@dataclass(frozen=True, slots=True)
class EconmlLearner:
    """One of ECONML_MODELS as a learner."""

    model: str
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> EconmlPolicy:  # noqa: ARG002
        """Fit on the training decisions; the validation decisions are not used."""
        spec = build_feature_spec(train)
        predict = fit_econml(self.model, build_trial(train, spec), self.seed)
        return EconmlPolicy(train.study.formulary, train.profile, spec, predict)


def _filled(X: Covariates) -> tuple[Covariates, Float64[np.ndarray, " feature"]]:  # noqa: N803
    """Fill missing values with training means: EconML accepts no NaN."""
    mean, _ = mean_and_std(X)
    return np.where(np.isnan(X), mean, X), mean


def _fitted(model: str, trial: Trial, X: Covariates, seed: int):  # noqa: N803
    from econml.dml import CausalForestDML
    from econml.dr import DRLearner
    from econml.metalearners import TLearner, XLearner
    from econml.policy import DRPolicyTree
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    def outcome() -> GradientBoostingRegressor:
        return GradientBoostingRegressor(random_state=seed)

    def chance() -> GradientBoostingClassifier:
        return GradientBoostingClassifier(random_state=seed)

    y, t = trial.outcome, trial.treatment
    match model:
        case "causal_forest":
            forest = CausalForestDML(
                model_y=outcome(), model_t=chance(), discrete_treatment=True, random_state=seed
            )
            return forest.fit(y, t, X=X)
        case "x_learner":
            learner = XLearner(models=outcome(), propensity_model=chance(), cate_models=outcome())
            return learner.fit(y, t, X=X)
        case "dr_learner":
            doubly = DRLearner(
                model_propensity=chance(),
                model_regression=outcome(),
                model_final=outcome(),
                random_state=seed,
            )
            return doubly.fit(y, t, X=X)
        case "t_learner":
            return TLearner(models=outcome()).fit(y, t, X=X)
    tree = DRPolicyTree(
        model_propensity=chance(), model_regression=outcome(), max_depth=3, random_state=seed
    )
    return tree.fit(y, t, X=X)
