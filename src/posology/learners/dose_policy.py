"""Which option and how much of it: effects choose the option, its own curve the dose.

A dose is looked for only where patients like this one were given doses, and inside the option's
hard limits; where nothing lies inside both there is none, and advice says so.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float32, Float64

from posology.causal.dose_support import Support
from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import Allowed, Doses
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.dose_response import DoseResponse, Settings, best_doses, fit_dose_response
from posology.learners.effect_policy import EffectLearner, EffectPolicy
from posology.learners.flatten import FlatSpec, flatten
from posology.nn.varying import VaryingCoefficients

FEWEST = 100
"""Decisions with a dose and an outcome below which an option gets no curve; our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A fitted dose response as plain arrays, so that it can be saved."""

    shape: str
    weights: tuple[Float32[np.ndarray, "..."], ...]
    """Of the network, in its own order."""
    center: Float64[np.ndarray, " feature"]
    spread: Float64[np.ndarray, " feature"]
    outcome_center: float
    outcome_spread: float
    support: Support


def frozen(response: DoseResponse) -> Curve:
    """The plain form of a fitted dose response."""
    weights = tuple(w.detach().numpy().copy() for w in response.network.parameters())
    return Curve(
        response.network.shape, weights, response.center, response.spread,
        response.outcome_center, response.outcome_spread, response.support,
    )  # fmt: skip


def thawed(curve: Curve) -> DoseResponse:
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
class DosePolicy:
    """Options by their effects, doses by each option's curve."""

    formulary: Formulary
    profile: Profile
    spec: FlatSpec
    which: EffectPolicy
    curves: tuple[Curve | None, ...]
    """One an option; None where too few were given it at a known dose."""

    def effectiveness(
        self, history: History, decisions: StepIndex, allowed: Allowed
    ) -> Float64[np.ndarray, "decision treatment 1"]:
        """P(option is effective) at the doses that were usual; 0 for forbidden options."""
        return self.which.effectiveness(history, decisions, allowed)

    def probabilities(
        self, history: History, decisions: StepIndex, allowed: Allowed
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The allowed option of the largest effect."""
        return self.which.probabilities(history, decisions, allowed)

    def dose(self, history: History, decisions: StepIndex, allowed: Allowed) -> Doses:
        """The best dose of each option, NaN where none is supported; overall: the option chosen."""
        X = flatten(self.spec, history, decisions).astype(np.float64)
        chosen = self.probabilities(history, decisions, allowed).argmax(axis=1)
        by_treatment = np.full(allowed.shape, np.nan)
        overall = np.full((len(decisions), self._members()), np.nan)
        for k, curve in enumerate(self.curves):
            if curve is None:
                continue
            advice = best_doses(thawed(curve), X, self.formulary.treatments[k].dose)
            by_treatment[:, k] = advice.dose
            overall[chosen == k] = advice.by_member[chosen == k]
        return Doses(np.where(allowed, by_treatment, np.nan), overall)

    def _members(self) -> int:
        known = [curve.weights[0].shape[0] for curve in self.curves if curve is not None]
        return max(known, default=1)


@dataclass(frozen=True, slots=True)
class DoseLearner:
    """`EffectLearner` for which, a dose response of each option for how much."""

    settings: Settings = field(default_factory=Settings)
    """Its shape is what is known of the outcome: it stands for every option."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> DosePolicy:
        """The finished policy; UserError where no option has enough doses."""
        which = EffectLearner(self.seed).fit(train, validation)
        curves = []
        for k, treatment in enumerate(train.study.formulary.treatments):
            parts = [_given(cohort, k, which.spec) for cohort in (train, validation)]
            X, dose, outcome = (np.concatenate(column) for column in zip(*parts, strict=True))
            enough = treatment.dose is not None and len(X) >= FEWEST and len(np.unique(dose)) > 1
            curves.append(
                frozen(fit_dose_response(X, dose, outcome, self.settings))
                if enough and outcome.std() > 0 else None
            )  # fmt: skip
        if not any(curves):
            raise UserError(
                f"study {train.study.name}: no option was given to {FEWEST} decisions at known, "
                "differing doses with outcomes that differ; how much cannot be learned"
            )
        return DosePolicy(train.study.formulary, train.profile, which.spec, which, tuple(curves))


def _given(
    cohort: Cohort, option: int, spec: FlatSpec
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = (cohort.treatment == option) & cohort.complete & ~np.isnan(cohort.dose)
    known &= ~np.isnan(cohort.effective)
    X = flatten(spec, cohort.history, cohort.last_step[known]).astype(np.float64)
    return X, cohort.dose[known].astype(np.float64), cohort.effective[known].astype(np.float64)
