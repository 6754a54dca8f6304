"""Which option and how much of it: effects choose the option, its own curve the dose.

What doses do good and what they do harm are two curves: harm may go on rising where the good has
levelled off. The dose is where the first is furthest above the second. It is looked for only where
patients like this one were given doses, and inside the option's hard limits; where nothing lies
inside both there is none, and advice says so.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64

from posology.causal.dose_support import DoseSupport
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
from posology.learners.effects.policy import EffectLearner, EffectPolicy
from posology.learners.features.tabular import FeatureSpec, extract_features
from posology.nn.varying_coefficients import VaryingCoefficients

MIN_DECISIONS = 100
"""Decisions with a dose and an outcome below which an option gets no curve; our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class DoseResponseArrays:
    """A fitted dose response as plain arrays, so that it can be saved."""

    shape: str
    weights: tuple[Float32[np.ndarray, "..."], ...]
    """Of the network, in its own order."""
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    outcome_center: float
    outcome_spread: float
    support: DoseSupport


def to_arrays(response: DoseResponse) -> DoseResponseArrays:
    """The plain form of a fitted dose response."""
    weights = tuple(w.detach().numpy().copy() for w in response.network.parameters())
    return DoseResponseArrays(
        response.network.shape, weights, response.center, response.spread,
        response.outcome_center, response.outcome_spread, response.support,
    )  # fmt: skip


def from_arrays(curve: DoseResponseArrays) -> DoseResponse:
    """The dose response of its plain form."""
    first = next(w for w in curve.weights if w.ndim == 3 and w.shape[1] == len(curve.center))
    widths = [w.shape[2] for w in curve.weights if w.ndim == 3 and w.shape[1] == len(curve.center)]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = VaryingCoefficients(len(curve.center), max(widths), first.shape[0], curve.shape)
        for into, saved in zip(network.parameters(), curve.weights, strict=True):
            into.copy_(torch.from_numpy(saved.copy()))
    return DoseResponse(
        network.eval(), curve.center, curve.spread, curve.outcome_center, curve.outcome_spread,
        curve.support,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class EffectDosePolicy:
    """Options by their effects, doses by each option's curve."""

    formulary: Formulary
    profile: Profile
    spec: FeatureSpec
    option_policy: EffectPolicy
    benefit_curves: tuple[DoseResponseArrays | None, ...]
    """One an option; None where too few were given it at a known dose."""
    harm_curves: tuple[DoseResponseArrays | None, ...]
    """What each option's doses cost in harms; None where the study prices none, or none came."""

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at the doses that were usual; 0 for forbidden options."""
        return self.option_policy.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option of the largest effect."""
        return self.option_policy.choice_probabilities(history, decisions, allowed)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        """The best dose of each option, NaN where none is supported; overall: the option chosen."""
        X = extract_features(self.spec, history, decisions).astype(np.float64)
        chosen = self.choice_probabilities(history, decisions, allowed).argmax(axis=1)
        by_treatment = np.full(allowed.shape, np.nan)
        overall = np.full((len(decisions), self._members()), np.nan)
        for k, (curve, cost) in enumerate(zip(self.benefit_curves, self.harm_curves, strict=True)):
            if curve is None:
                continue
            harm = None if cost is None else from_arrays(cost)
            advice = find_optimal_doses(
                from_arrays(curve), X, self.formulary.treatments[k].dose, harm
            )
            by_treatment[:, k] = advice.dose
            overall[chosen == k] = advice.by_member[chosen == k]
        return Doses(np.where(allowed, by_treatment, np.nan), overall)

    def _members(self) -> int:
        known = [curve.weights[0].shape[0] for curve in self.benefit_curves if curve is not None]
        return max(known, default=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """Decisions for an option whose dose and outcome are known."""

    X: Float64[np.ndarray, "decision feature"]
    dose: Float64[np.ndarray, " decision"]
    worth: Float64[np.ndarray, " decision"]
    """Of the outcome, in the reward's unit."""
    cost: Float64[np.ndarray, " decision"]
    """Of the harms that came until the next decision."""


@dataclass(frozen=True, slots=True)
class EffectDoseLearner:
    """`EffectLearner` for which, a dose response of each option for how much."""

    settings: DoseResponseSettings = field(default_factory=DoseResponseSettings)
    """Its shape is what is known of the outcome: it stands for every option."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> EffectDosePolicy:
        """The finished policy; UserError where no option has enough doses."""
        which = EffectLearner(self.seed).fit(train, validation)
        curves, harms = [], []
        for k, treatment in enumerate(train.study.formulary.treatments):
            given = _both(train, validation, k, which.spec)
            enough = treatment.dose is not None and len(given.dose) >= MIN_DECISIONS
            enough = enough and len(np.unique(given.dose)) > 1 and given.worth.std() > 0
            curves.append(to_arrays(self._curve(given, given.worth)) if enough else None)
            harmful = enough and given.cost.std() > 0
            harms.append(
                to_arrays(self._curve(given, given.cost, "increasing")) if harmful else None
            )
        if not any(curves):
            raise UserError(
                f"study {train.study.name}: no option was given to {MIN_DECISIONS} decisions at "
                "known, differing doses with outcomes that differ; how much cannot be learned"
            )
        return EffectDosePolicy(
            formulary=train.study.formulary,
            profile=train.profile,
            spec=which.spec,
            option_policy=which,
            benefit_curves=tuple(curves),
            harm_curves=tuple(harms),
        )

    def _curve(self, given: _Given, outcome: np.ndarray, shape: str = "") -> DoseResponse:
        settings = replace(self.settings, shape=shape or self.settings.shape)
        return fit_dose_response(given.X, given.dose, outcome, settings)


def _both(train: Cohort, validation: Cohort, option: int, spec: FeatureSpec) -> _Given:
    parts = [_given(cohort, option, spec) for cohort in (train, validation)]
    return _Given(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _given(cohort: Cohort, option: int, spec: FeatureSpec) -> tuple[np.ndarray, ...]:
    priced = bool(cohort.study.reward.costs)
    known = (cohort.treatment == option) & cohort.outcome_observed & ~np.isnan(cohort.dose)
    known &= ~np.isnan(cohort.effective)
    if priced:
        known &= ~np.isnan(cohort.reward)
    X = extract_features(spec, cohort.history, cohort.last_step[known]).astype(np.float64)
    dose, worth = (c[known].astype(np.float64) for c in (cohort.dose, cohort.effective))
    worth = worth * (cohort.study.reward.effective if priced else 1.0)
    cost = worth - cohort.reward[known] if priced else np.zeros(len(worth))
    return X, dose, worth, cost
