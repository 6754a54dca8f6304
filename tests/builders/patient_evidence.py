"""Evidence on three options for one patient, made up; the first option is the reference."""

import numpy as np

from posology.advice.comparisons import PatientEvidence
from posology.causal.patient.effect_posterior import PatientPosterior
from posology.causal.patient.model import PatientOutcomes
from posology.causal.patient.prognosis import Level
from posology.domain.recommendation.evidence import (
    HarmEvidence,
    OptionEvidence,
    PairEvidence,
    StudyEvidence,
)
from posology.domain.recommendation.option import Estimate

NAMES = ("low", "medium", "high")
ONE = np.ones(3)


def estimate(value: float, reach: float) -> Estimate:
    return Estimate(value, value - reach, value + reach)


def option(name: str, difference: Estimate | None, bleeding: Estimate | None) -> OptionEvidence:
    """`difference` and `bleeding` are against the reference."""
    harms = (
        HarmEvidence("bleeding", "", estimate(8.0, 2.0), bleeding),
        HarmEvidence("falls", "", None, None, "never recorded"),
    )
    return OptionEvidence(name, 300, 250.0, estimate(40.0, 5.0), difference, harms, True, "")


def evidence(
    verdict: str = "none",
    means: tuple[float, float, float] = (0.0, 0.2, 0.05),
    errors: tuple[float, float, float] = (0.0, 0.04, 0.04),
    averages: tuple[Estimate | None, Estimate | None] = (estimate(2.0, 4.0), estimate(-1.0, 4.0)),
    bleeding: Estimate | None = None,
    reference: str = "low",
    between: Estimate | None = None,
) -> PatientEvidence:
    """`means` and `errors` are the patient's own effects, as probabilities; `between` is the
    average difference of medium and high."""
    same = estimate(0.5, 3.0) if bleeding is None else bleeding
    differences = (None, *averages) if reference else (estimate(0.0, 2.0), *averages)
    study = StudyEvidence(
        verdict=verdict,
        sentence="",
        reference=reference,
        reference_value=estimate(40.0, 3.0),
        unit="",
        is_randomised=False,
        decisions=900,
        patients=900,
        outside_share=0.0,
        heterogeneity_p=0.01,
        options=tuple(
            option(name, difference, None if difference is None else same)
            for name, difference in zip(NAMES, differences, strict=True)
        ),
        groups=(),
        pairs=() if between is None else (PairEvidence("medium", "high", between),),
    )
    shares = np.array([0.5, 0.3, 0.2])
    outcomes = PatientOutcomes(
        level=Level(0.40, 0.03),
        harm_levels=(Level(0.08, 0.01),),
        usual_shares=shares,
        reference=np.array([1.0, 0.0, 0.0]) if reference else shares,
        posterior=PatientPosterior(np.array(means), np.diag(np.array(errors) ** 2)),
    )
    return PatientEvidence(study, outcomes)
