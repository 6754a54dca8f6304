"""Settings of the clinic."""

from dataclasses import dataclass

from posology.simulators.clinic.drift import NO_DRIFT, Drift

QUARTER_DAYS = 91
"""Days of one step of the clinic."""
QUARTERS = 20
"""Steps after the first visit: five years."""


@dataclass(frozen=True, slots=True)
class ClinicSettings:
    """One clinic; the same settings always simulate the same patients."""

    patients: int = 10_000
    seed: int = 0
    history_effect: float = 1.0
    """Scales the standard deviation of each patient's lasting response and intolerance to each
    class, which only earlier treatment reveals; 0 disables them."""
    confounding: float = 1.0
    """Scales how strongly clinicians choose by the patient; at 0 the choice depends only on the
    classes' popularity, as in a trial."""
    chunk: int = 10_000
    """Patients simulated at once; affects memory only."""
    genotyped: float = 0.7
    """Share of patients whose genotype is in the records. Our choice."""
    wearing: float = 0.3
    """Share of patients with an activity tracker and glucose sensor. Our choice."""
    drift: Drift = NO_DRIFT
    """What changes from some day on."""
