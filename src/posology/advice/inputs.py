"""What a recommendation is made of besides the policy's own prediction."""

import datetime
from dataclasses import dataclass

from posology.advice.comparisons import PatientEvidence
from posology.advice.dose_support import SeenDoses
from posology.advice.eligibility import ELIGIBLE, Eligibility
from posology.advice.form.training_facts import TrainingFacts
from posology.advice.uncertainty.evidence import NOT_MEASURED, UncertaintyEvidence
from posology.domain.recommendation.evidence import DoseEvidence
from posology.domain.recommendation.findings import Certainty, KnownFact, SafetyFinding
from posology.domain.recommendation.recommendation import ModelLabel
from posology.domain.recommendation.why import Why
from posology.domain.safety_rules.check import SafetyCheck
from posology.domain.safety_rules.facts import VisibleFacts

NO_LABEL = ModelLabel("", "", "", "", "", "", "")
NO_CERTAINTY, NO_REASONS = Certainty(), Why()


@dataclass(frozen=True, slots=True)
class AdviceInputs:
    """Parts that workflows/recommend.py reads from a saved policy's evidence; all may be empty."""

    label: ModelLabel = NO_LABEL
    time: str = ""
    """Date of the decision, ISO 8601."""
    seen: SeenDoses | None = None
    """Smallest and largest dose of the training patients by option, if measured."""
    facts: TrainingFacts | None = None
    """What each code was in training, if measured."""
    uncertainty: UncertaintyEvidence = NOT_MEASURED
    """Thresholds of intervals and sets, counts of patients alike, distance from training."""
    callouts: tuple[str, ...] = ()
    """What the reading of the patient's file says first."""
    guideline: tuple[tuple[str, str, str], ...] = ()
    """Name, choice and source of each of the study's rules."""
    evidence: PatientEvidence | None = None
    """What was found out of sample when the policy was fitted, for this patient."""
    dose_evidence: DoseEvidence | None = None
    """The same where the right dose is known."""
    not_judged: str = ""
    """Why there is no evidence: a whole sentence."""
    usual_dose: float | None = None
    """Dose of usual care, if the study has a rule for it."""
    required: tuple[str, ...] = ()
    """Facts without which the study gives no answer, and which this patient lacks: sentences."""
    eligibility: Eligibility = ELIGIBLE
    """Whether the study is for this patient."""
    certainty: Certainty = NO_CERTAINTY
    safety: tuple[SafetyFinding, ...] = ()
    """Findings besides those of the study's safety rules."""
    forbidden: tuple[str, ...] = ()
    """Names of options that these findings forbid."""
    checked: SafetyCheck | None = None
    """The safety rules applied to `visible`; None: not yet."""
    visible: VisibleFacts | None = None
    """What all of the patient's events show to safety rules; None: the history alone."""
    today: datetime.date | None = None
    """Day on which safety rules must be current; None: the day of the computer."""
    why: Why = NO_REASONS
    known: tuple[KnownFact, ...] = ()
    """The facts of the patient that are used."""


NOTHING_MORE = AdviceInputs()
"""Of a policy without evidence."""
