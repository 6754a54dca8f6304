"""Treatment effects as a policy: the option with the largest effect for this patient."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Float64, Int64

from posology.causal.boosted_trees import make_boosted_trees
from posology.causal.calendar import calendar_columns
from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.trial import Trial, rare_options, validate_trial
from posology.domain.cohort import Cohort, windows_closed
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.effects.follow_up import concatenate_follow_up, outcome_follow_up
from posology.learners.effects.r_learner import (
    Effects,
    fit_effects,
    predict_effects,
    preference_scores,
)
from posology.learners.features.tabular import FeatureSpec, build_feature_spec, extract_features
from posology.learners.outcome_models.gradient_boosting import trees_of_boosting
from posology.learners.outcome_models.predictions import choose_most_effective
from posology.learners.outcome_models.tree_policy import Trees, predict_trees


@dataclass(frozen=True, slots=True, eq=False)
class EffectPolicy:
    """Outcome under the best single option, and the effects of the others over it."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    effects: Effects
    best_single_trees: Trees
    """Predict P(the best single option is effective)."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective); 0 for forbidden options."""
        X = extract_features(self.spec, history, decisions)
        effect = predict_trees(self.best_single_trees, X) + predict_effects(
            self.effects, X.astype(np.float64)
        )
        return (effect.clip(0, 1) * allowed)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option with the largest effect."""
        X = extract_features(self.spec, history, decisions).astype(np.float64)
        score = preference_scores(self.effects, X)
        return choose_learned(self.formulary, allowed, partial(choose_most_effective, score))

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """NaN: effects give no dose."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


@dataclass(frozen=True, slots=True)
class EffectLearner:
    """`fit_effects` as a learner; it cross-fits, so it uses training and validation decisions."""

    seed: int = 0
    """Of the folds."""
    gate: bool = True
    """Personal rule only where heterogeneity of effects is shown."""
    excluded_prefixes: tuple[str, ...] = ()
    """Prefixes of codes that get no features."""

    def fit(self, train: Cohort, validation: Cohort) -> EffectPolicy:
        """Fit the effects; an option that hardly anybody was given is not learned.

        UserError where fewer than two options were given often enough to compare.
        """
        spec = build_feature_spec(train, self.excluded_prefixes)
        first, second = (build_trial(cohort, spec) for cohort in (train, validation))
        trial = Trial(
            np.concatenate([first.covariates, second.covariates]),
            np.concatenate([first.treatment, second.treatment]),
            np.concatenate([first.outcome, second.outcome]),
            np.concatenate([first.subject, second.subject]),
            first.n_options,
            first.option_names,
            concatenate_follow_up(
                *(outcome_follow_up(c, treated_rows(c)) for c in (train, validation))
            ),
            _calendar(train, validation),
            all(windows_closed(c)[treated_rows(c)].all() for c in (train, validation)),
        )
        nuisance = fit_nuisance(validate_trial(trial), np.random.default_rng(self.seed))
        effects = fit_effects(nuisance, self.gate)
        effect = predict_effects(effects, trial.covariates)
        base = nuisance.trial.outcome - effect[np.arange(len(trial)), trial.treatment]
        model = make_boosted_trees().fit(trial.covariates, base)
        formulary = train.study.formulary
        rare = {formulary.names[k] for k in rare_options(trial)}
        return EffectPolicy(
            replace(formulary, unlearned=tuple(sorted(rare.union(formulary.unlearned)))),
            train.profile,
            spec,
            effects,
            trees_of_boosting(model, model.n_iter_, 1),
        )


def _calendar(train: Cohort, validation: Cohort) -> Float64[np.ndarray, "decision column"] | None:
    """When the decisions with an option were made, those to train on first."""
    if train.time is None or validation.time is None:
        return None
    days = [c.time[treated_rows(c)] for c in (train, validation) if c.time is not None]
    return calendar_columns(np.concatenate(days))


def treated_rows(cohort: Cohort) -> Int64[np.ndarray, " treated"]:
    """The decisions with one of the study's options."""
    return np.flatnonzero(cohort.treatment >= 0)


def build_trial(cohort: Cohort, spec: FeatureSpec) -> Trial:
    """The decisions with a known treatment as arrays; outcome: whether it was effective.

    Outcomes that follow-up does not tell are corrected for where the trial is analysed. Subjects
    keep their ids, so that two cohorts can be concatenated.
    """
    row = treated_rows(cohort)
    follow_up = outcome_follow_up(cohort, row)
    if not follow_up.is_known.any():
        raise UserError(
            f"study {cohort.study.name}: no decision has both a treatment and an outcome that was "
            "followed up; effects cannot be learned"
        )
    return Trial(
        extract_features(spec, cohort.history, cohort.last_step[row]).astype(np.float64),
        cohort.treatment[row].astype(np.int64),
        np.where(follow_up.is_known, cohort.effective[row], 0.0).astype(np.float64),
        cohort.history.subject_id[cohort.subject[row]],
        len(cohort.study.formulary.treatments),
        cohort.study.formulary.names,
        follow_up,
    )
