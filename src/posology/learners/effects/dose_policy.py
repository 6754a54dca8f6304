"""Effects choose the option; a dose-response curve of each option chooses the dose.

Benefit and harm have separate curves: harm may still rise where benefit has levelled off. The dose
maximises benefit minus harm. It lies where similar patients received doses (support) and within the
option's dose limits; where no dose meets both, there is no dose and the advice says so.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from posology.causal.dose_support import DoseSupport
from posology.causal.missing_outcomes import complete_trial
from posology.causal.trial import FollowUp, Trial
from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.effects.dose_response import (
    DoseResponse,
    DoseResponseSettings,
    find_optimal_doses,
    fit_dose_response,
)
from posology.learners.effects.follow_up import (
    concatenate_follow_up,
    follow_up_of,
    harm_costs,
    outcome_follow_up,
)
from posology.learners.effects.policy import EffectLearner, EffectPolicy
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.nn.varying_coefficients import VaryingCoefficients

MIN_DECISIONS = 100
"""Minimum decisions with dose and outcome to fit a curve of an option; our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponseArrays:
    """A fitted dose response as arrays, for saving."""

    shape: str
    weights: tuple[Float32[np.ndarray, "..."], ...]
    """The network's parameters, in its order."""
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    outcome_center: float
    outcome_spread: float
    support: DoseSupport


def to_arrays(response: DoseResponse) -> DoseResponseArrays:
    """Convert a fitted dose response to arrays."""
    weights = tuple(w.detach().numpy().copy() for w in response.network.parameters())
    return DoseResponseArrays(
        response.network.shape,
        weights,
        response.center,
        response.spread,
        response.outcome_center,
        response.outcome_spread,
        response.support,
    )


def from_arrays(curve: DoseResponseArrays) -> DoseResponse:
    """Rebuild a dose response from its arrays."""
    first = next(w for w in curve.weights if w.ndim == 3 and w.shape[1] == len(curve.center))
    widths = [w.shape[2] for w in curve.weights if w.ndim == 3 and w.shape[1] == len(curve.center)]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = VaryingCoefficients(len(curve.center), max(widths), first.shape[0], curve.shape)
        for into, saved in zip(network.parameters(), curve.weights, strict=True):
            into.copy_(torch.from_numpy(saved.copy()))
    return DoseResponse(
        network.eval(),
        curve.center,
        curve.spread,
        curve.outcome_center,
        curve.outcome_spread,
        curve.support,
    )


@dataclass(frozen=True, slots=True, eq=False)
class EffectDosePolicy:
    """Options by their effects, doses by the options' curves."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    option_policy: EffectPolicy
    benefit_curves: tuple[DoseResponseArrays | None, ...]
    """Per option; None where too few patients received it at a known dose."""
    harm_curves: tuple[DoseResponseArrays | None, ...]
    """Cost of harms by dose, per option; None where the study prices none or none occurred."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at the doses of usual care; 0 for forbidden options."""
        return self.option_policy.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option with the largest effect."""
        return self.option_policy.choice_probabilities(history, decisions, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The optimal dose of each option, NaN where none is supported; overall, of the choice."""
        X = extract_features(self.spec, history, decisions).astype(np.float64)
        chosen = self.choice_probabilities(history, decisions, allowed).argmax(axis=1)
        by_treatment = np.full(allowed.shape, np.nan)
        overall = np.full((len(decisions), self._members()), np.nan)
        for k, (curve, cost) in enumerate(zip(self.benefit_curves, self.harm_curves, strict=True)):
            if curve is None:
                continue
            harm = None if cost is None else from_arrays(cost)
            optimum = find_optimal_doses(
                from_arrays(curve), X, self.formulary.treatments[k].dose, harm
            )
            by_treatment[:, k] = optimum.dose
            overall[chosen == k] = optimum.by_member[chosen == k]
        return Doses(np.where(allowed, by_treatment, np.nan), overall)

    def _members(self) -> int:
        known = [curve.weights[0].shape[0] for curve in self.benefit_curves if curve is not None]
        return max(known, default=1)


@dataclass(frozen=True, slots=True, eq=False)
class _DosedDecisions:
    """Decisions for one option with a known dose."""

    X: Float64[np.ndarray, "decision feature"]
    dose: Float64[np.ndarray, " decision"]
    subject: Int64[np.ndarray, " decision"]
    value: Float64[np.ndarray, " decision"]
    """Value of the outcome, in the reward's unit; NaN where unknown."""
    value_follow_up: FollowUp
    cost: Float64[np.ndarray, " decision"]
    """Cost of the harms until the next decision; NaN where unknown."""
    cost_follow_up: FollowUp


@dataclass(frozen=True, slots=True)
class EffectDoseLearner:
    """`EffectLearner` for the option, a dose response per option for the dose."""

    settings: DoseResponseSettings = field(default_factory=DoseResponseSettings)
    """The curve's shape, where known, holds for every option."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> EffectDosePolicy:
        """Fit effects and curves; UserError where no option has enough doses."""
        effects = EffectLearner(self.seed).fit(train, validation)
        curves, harms = [], []
        for k, treatment in enumerate(train.study.formulary.treatments):
            dosed = _pooled_decisions(train, validation, k, effects.spec)
            known = dosed.value[~np.isnan(dosed.value)]
            enough = treatment.dose is not None and len(known) >= MIN_DECISIONS
            enough = enough and len(np.unique(dosed.dose)) > 1 and known.std() > 0
            value = _completed(dosed, dosed.value, dosed.value_follow_up) if enough else known
            curves.append(to_arrays(self._curve(dosed, value)) if enough else None)
            harmful = enough and np.nanstd(dosed.cost) > 0
            cost = _completed(dosed, dosed.cost, dosed.cost_follow_up) if harmful else known
            harms.append(to_arrays(self._curve(dosed, cost, "increasing")) if harmful else None)
        if not any(curves):
            raise UserError(
                f"study {train.study.name}: no option was given to {MIN_DECISIONS} decisions at "
                "known, differing doses with outcomes that differ; doses cannot be learned. Fit "
                "with another --method, such as boosting, which advises an option without its dose."
            )
        return EffectDosePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=effects.spec,
            option_policy=effects,
            benefit_curves=tuple(curves),
            harm_curves=tuple(harms),
        )

    def _curve(self, dosed: _DosedDecisions, outcome: np.ndarray, shape: str = "") -> DoseResponse:
        settings = replace(self.settings, shape=shape or self.settings.shape)
        return fit_dose_response(dosed.X, dosed.dose, outcome, settings, dosed.subject)


def _pooled_decisions(
    train: Cohort, validation: Cohort, option: int, spec: FeatureSpec
) -> _DosedDecisions:
    first, second = (_dosed_decisions(cohort, option, spec) for cohort in (train, validation))
    return _DosedDecisions(
        np.concatenate([first.X, second.X]),
        np.concatenate([first.dose, second.dose]),
        np.concatenate([first.subject, second.subject]),
        np.concatenate([first.value, second.value]),
        concatenate_follow_up(first.value_follow_up, second.value_follow_up),
        np.concatenate([first.cost, second.cost]),
        concatenate_follow_up(first.cost_follow_up, second.cost_follow_up),
    )


def _dosed_decisions(cohort: Cohort, option: int, spec: FeatureSpec) -> _DosedDecisions:
    row = np.flatnonzero((cohort.treatment == option) & ~np.isnan(cohort.dose))
    reward, follow_up = cohort.study.reward, outcome_follow_up(cohort, row)
    effective = np.where(follow_up.is_known, cohort.effective[row].astype(np.float64), np.nan)
    cost, days, by = np.zeros(len(row)), None, None
    if reward.costs:
        cost, days, by = harm_costs(cohort, row)
    return _DosedDecisions(
        extract_features(spec, cohort.history, cohort.last_step[row]).astype(np.float64),
        cohort.dose[row].astype(np.float64),
        cohort.history.subject_id[cohort.subject[row]],
        effective * (reward.effective if reward.costs else 1.0),
        follow_up,
        cost,
        follow_up_of(~np.isnan(cost), days, by),
    )


def _completed(
    dosed: _DosedDecisions, outcome: Float64[np.ndarray, " decision"], follow_up: FollowUp
) -> Float64[np.ndarray, " decision"]:
    """The outcomes, corrected for unknown ones given covariates and dose."""
    trial = Trial(
        np.column_stack([dosed.X, dosed.dose]),
        np.zeros(len(outcome), np.int64),
        np.nan_to_num(outcome),
        dosed.subject,
        n_options=1,
        follow_up=follow_up,
    )
    return complete_trial(trial, np.random.default_rng(0)).outcome
