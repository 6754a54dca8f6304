"""What `fit` measures about uncertainty and keeps in the saved policy: counts and thresholds."""

from dataclasses import dataclass

from posology.advice.uncertainty.alike import PatientsAlike
from posology.advice.uncertainty.distance import Distance
from posology.advice.uncertainty.dose_intervals import DoseIntervals
from posology.advice.uncertainty.number_pairs import NumberPairs
from posology.advice.uncertainty.option_sets import OptionSets

EVIDENCE = "uncertainty"
"""Key of a saved policy's evidence that holds an UncertaintyEvidence."""


@dataclass(frozen=True, slots=True)
class UncertaintyEvidence:
    """Each part is None where it cannot be measured for the study."""

    dose: DoseIntervals | None = None
    options: OptionSets | None = None
    alike: PatientsAlike | None = None
    distance: Distance | None = None
    number_pairs: NumberPairs | None = None


NOT_MEASURED = UncertaintyEvidence()
"""Of a policy that was saved before uncertainty was measured."""
