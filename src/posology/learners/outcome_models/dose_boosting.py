"""Gradient boosting of the margin, with the option given and its dose among the columns."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.learners.features.dose_grid import observed_dose_levels
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.learners.outcome_models.design import build_design
from posology.learners.outcome_models.gradient_boosting import (
    MIN_LEAF_SIZE,
    boost_until_no_gain,
    drop_unsplittable_columns,
    one_of,
    trees_of_boosting,
)
from posology.learners.outcome_models.predictions import choose_most_effective
from posology.learners.outcome_models.target_distance import (
    DoseGrid,
    EffectivenessLink,
    TreatedDecisions,
    best_doses,
    evaluate_dose_grid,
    fit_effectiveness_link,
    treated_decisions,
)
from posology.learners.outcome_models.tree_policy import Trees, append_option, predict_trees
from posology.nn.dose_head import DoseLevels


@dataclass(frozen=True, slots=True, eq=False)
class DoseBoostingPolicy:
    """Trees that are asked about each option at each of its doses."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    levels: DoseLevels
    """Doses of each option that are asked about."""
    trees: Trees
    """Of the flattened history, the option, and log2 of its dose over the middle of its levels."""
    link: EffectivenessLink

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at its best dose; 0 for forbidden options."""
        p = np.nanmax(self.chances(history, decisions), axis=2)
        return (p * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The most effective allowed option."""
        return choose_most_effective(
            self.predict_effectiveness(history, decisions, allowed)[:, :, 0], allowed
        )

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The best dose of each option."""
        return best_doses(self.chances(history, decisions), self.levels, self.formulary, allowed)

    def chances(self, history: History, decisions: StepIndex) -> DoseGrid:
        """P(effective) of every option at every level."""
        X = extract_features(self.spec, history, decisions)
        count = len(X)

        def margin(option: int, shift: float) -> Float64[np.ndarray, " decision"]:
            asked = _columns(X, np.full(count, option), np.full(count, shift), len(self.levels))
            return predict_trees(self.trees, asked)[:, 0]

        return self.link.probability(evaluate_dose_grid(self.levels, margin, count), self.levels)


@dataclass(frozen=True, slots=True)
class DoseBoostingLearner:
    """The number of leaves and when to stop are what does best on the validation decisions."""

    max_rounds: int = 400
    """The most there may be."""
    patience: int = 100
    """Rounds without a better validation loss before stopping."""
    learning_rate: float = 0.1
    leaf_counts: tuple[int, ...] = (8,)
    """Leaves a tree that are tried: more take longer than the network does. Our choice."""
    excluded_prefixes: tuple[str, ...] = ()
    """Code prefixes left out."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> DoseBoostingPolicy:
        """The finished policy."""
        data, levels = (
            drop_unsplittable_columns(build_design(train, validation, self.excluded_prefixes)),
            observed_dose_levels(train),
        )
        known, check = (
            treated_decisions(train, levels, "target_distance"),
            treated_decisions(validation, levels, "target_distance"),
        )
        trees = self._trees(_of_given(data.X, known, levels), known,
                            _of_given(data.X_validation, check, levels), check)  # fmt: skip
        asked = treated_decisions(train, levels, "effective")
        said = predict_trees(trees, _of_given(data.X, asked, levels))[:, 0]
        return DoseBoostingPolicy(
            train.study.formulary, train.profile, data.spec, levels, trees,
            fit_effectiveness_link(said, asked, len(levels)),
        )  # fmt: skip

    def _trees(
        self,
        X: np.ndarray,  # noqa: N803
        known: TreatedDecisions,
        V: np.ndarray,  # noqa: N803
        check: TreatedDecisions,
    ) -> Trees:
        from sklearn.ensemble import HistGradientBoostingRegressor

        best, least = None, np.inf
        for leaves in self.leaf_counts:
            model = HistGradientBoostingRegressor(
                learning_rate=self.learning_rate,
                max_leaf_nodes=leaves,
                early_stopping=False,
                warm_start=True,
                min_samples_leaf=MIN_LEAF_SIZE,
                random_state=self.seed,
            )
            losses = partial(_errors, V=V, check=check)
            fit_on = (X, known.target, known.weight)
            stop, error = boost_until_no_gain(model, fit_on, losses, self.max_rounds, self.patience)
            if best is None or error < least:
                best, least = trees_of_boosting(model, stop, 1), error
        return one_of(best)


def _errors(model: Any, V: np.ndarray, check: TreatedDecisions) -> np.ndarray:  # noqa: N803
    """Mean squared error on the validation decisions after each round."""
    return np.array([
        np.average((said - check.target) ** 2, weights=check.weight)
        for said in model.staged_predict(V)
    ])  # fmt: skip


def _of_given(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    known: TreatedDecisions,
    levels: DoseLevels,
) -> Float32[np.ndarray, "known column"]:
    return _columns(X[known.row], known.treatment, known.shift, len(levels))


def _columns(
    X: Float32[np.ndarray, "decision feature"],  # noqa: N803
    option: Int64[np.ndarray, " decision"],
    shift: Float64[np.ndarray, " decision"],
    options: int,
) -> Float32[np.ndarray, "decision column"]:
    """The history, the option and the dose."""
    return np.hstack([append_option(X, option, options), shift[:, None].astype(np.float32)])
