"""All that a saved policy needs to speak of one patient's outcomes, from its effect study."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.patient.effect_posterior import (
    EffectPosterior,
    PatientPosterior,
    contrast,
    patient_posterior,
)
from posology.causal.patient.prognosis import Level, Prognosis, prognosis_of
from posology.causal.patient.usual_care import UsualCare, usual_shares

Options = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class PatientModel:
    """Individual effects, usual care, and prognosis of the outcome and of each harm."""

    reference: int
    """Index of the control; -1: usual care."""
    effects: EffectPosterior
    usual_care: UsualCare
    outcome: Prognosis
    """With the reference."""
    harms: tuple[Prognosis, ...]
    """In the order of the study's evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class PatientOutcomes:
    """One patient, in the outcome's own units: probabilities, or days."""

    level: Level
    """With the reference."""
    harm_levels: tuple[Level, ...]
    usual_shares: Options
    reference: Options
    """Weights of the options that make up the reference; they sum to 1."""
    posterior: PatientPosterior

    def against_reference(self, option: int) -> tuple[float, float]:
        """Effect of an option minus that of the reference, and its standard deviation."""
        return contrast(self.posterior, np.eye(len(self.reference))[option] - self.reference)

    def against(self, option: int, other: int) -> tuple[float, float]:
        """Effect of an option minus that of another one, and its standard deviation."""
        one_hot = np.eye(len(self.reference))
        return contrast(self.posterior, one_hot[option] - one_hot[other])


def patient_outcomes(model: PatientModel, x: Float64[np.ndarray, " feature"]) -> PatientOutcomes:
    """Outcomes of a patient with these covariates."""
    shares = usual_shares(model.usual_care, x)
    reference = shares if model.reference < 0 else np.eye(len(shares))[model.reference]
    return PatientOutcomes(
        level=prognosis_of(model.outcome, x),
        harm_levels=tuple(prognosis_of(harm, x) for harm in model.harms),
        usual_shares=shares,
        reference=reference,
        posterior=patient_posterior(model.effects, x),
    )
