"""What the policy itself predicts for one patient: options, and doses inside their support."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.advice.dose_support import (
    SeenDoses,
    describe_limit,
    limit_dose,
    round_dose,
    supported_range,
)
from posology.advice.safe_doses import SafeDoses, keep_doses_safe
from posology.domain.formulary import DoseRange, Treatment
from posology.domain.history import History
from posology.domain.policy import Policy, predict_with
from posology.domain.recommendation.option import DoseAdvice
from posology.domain.safety import history_facts
from posology.domain.safety_rules.check import SafetyCheck, check_safety
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr

NO_DOSES = deferred("This model gives no dose of any option for this patient.")


@dataclass(frozen=True, slots=True, eq=False)
class PatientPrediction:
    """Predictions at the last step of the only patient."""

    allowed: Bool[np.ndarray, " treatment"]
    """False where a safety rule forbids the option."""
    chosen: Float64[np.ndarray, " treatment"]
    """Probability that the policy chooses each option; all 0 if every option is forbidden."""
    effectiveness: Float64[np.ndarray, "treatment member"]
    """P(option is effective) by ensemble member; 0 for forbidden options."""
    option_doses: tuple[DoseAdvice | None, ...]
    dose: DoseAdvice | None
    """The study's single dose."""
    warnings: tuple[str, ...]
    """Doses that were moved or are missing: whole sentences."""

    @property
    def order(self) -> tuple[int, ...]:
        """Options as the policy ranks them, first the one that it chooses."""
        mean = self.effectiveness.mean(axis=1)
        return tuple(np.lexsort((-mean, -self.chosen.round(6))).tolist())


def predict_patient(
    policy: Policy,
    study: Study,
    history: History,
    seen: SeenDoses | None = None,
    checked: SafetyCheck | None = None,
) -> PatientPrediction:
    """The policy's prediction for the only patient of the history, at their last step.

    A dose is never outside the study's range, nor what safety rules leave of it, nor outside what
    training patients were given.

    Args:
        seen: bounds of the training patients' doses, if measured.
        checked: the safety rules by all of the patient's events; None: by those of the history.
    """
    seen = seen or {}
    decision = history.step_offsets[1:2] - 1
    if checked is None:
        checked = check_safety(study, history_facts(policy.profile, history, decision))
    allowed = ~checked.forbidden
    options = allowed.shape[1]
    if not allowed.any():
        nothing = (np.zeros(options), np.zeros((options, 1)))
        return PatientPrediction(allowed[0], *nothing, (None,) * options, None, ())
    predicted = predict_with(policy, history, decision, allowed)
    chosen = predicted.choice[0]
    safe = keep_doses_safe(predicted.doses, study, checked, seen)
    members, within = safe.doses.overall[0], safe.single
    single = None
    if within is not None and np.isfinite(members).all():
        supported = supported_range(within, seen.get(""))
        single = _single_dose(members, within, supported)
    return PatientPrediction(
        allowed=allowed[0],
        chosen=chosen,
        effectiveness=predicted.effectiveness[0],
        option_doses=tuple(
            _option_dose(treatment, float(dose), seen)
            for treatment, dose in zip(safe.treatments, safe.doses.by_treatment[0], strict=True)
        ),
        dose=single,
        warnings=(
            *safe.warnings,
            *_dose_warnings(members, within, seen.get("")),
            *(() if _is_of_ranges(study) else _option_dose_warnings(safe, seen)),
            *_missing_dose_warning(safe, int(chosen.argmax())),
        ),
    )


def _is_of_ranges(study: Study) -> bool:
    """Whether the options are ranges of the one dose that is advised."""
    return study.outcome.kind == "dose_class"


def _single_dose(members: np.ndarray, allowed: DoseRange, supported: DoseRange) -> DoseAdvice:
    exact = limit_dose(float(members.mean()), supported)
    return DoseAdvice(
        dose=round_dose(exact, supported),
        unit=allowed.unit,
        exact=exact,
        supported=(supported.low, supported.high),
    )


def _option_dose(treatment: Treatment, dose: float, seen: SeenDoses) -> DoseAdvice | None:
    if treatment.dose is None or not np.isfinite(dose):
        return None
    supported = supported_range(treatment.dose, seen.get(treatment.name))
    exact = limit_dose(dose, supported)
    bounds = (supported.low, supported.high)
    return DoseAdvice(round_dose(exact, supported), supported.unit, exact, bounds)


def _dose_warnings(
    members: np.ndarray, allowed: DoseRange | None, seen: tuple[float, float] | None
) -> tuple[str, ...]:
    if allowed is None or np.isnan(members).all():
        return ()
    if not np.isfinite(members).all():
        return (tr("No dose is given: the model's dose for this patient is not a finite number."),)
    supported = supported_range(allowed, seen)
    warning = describe_limit(float(members.mean()), supported, allowed, "")
    return (warning,) if warning else ()


def _option_dose_warnings(safe: SafeDoses, seen: SeenDoses) -> tuple[str, ...]:
    """Doses of options beyond what training patients had; their ranges are the policy's part."""
    warnings = []
    by_option = safe.doses.by_treatment[0].tolist()
    for treatment, dose in zip(safe.treatments, by_option, strict=True):
        if treatment.dose is None or not np.isfinite(dose) or treatment.name not in seen:
            continue
        supported = supported_range(treatment.dose, seen[treatment.name])
        warnings.append(describe_limit(dose, supported, treatment.dose, treatment.title))
    return tuple(warning for warning in warnings if warning)


def _missing_dose_warning(safe: SafeDoses, first: int) -> tuple[str, ...]:
    treatment = safe.treatments[first]
    if treatment.dose is None or not np.isnan(safe.doses.by_treatment[0, first]):
        return ()
    if np.isnan(safe.doses.by_treatment[0]).all():
        return (tr(NO_DOSES),)
    text = tr("No dose of “{option}” is given: similar patients had none that the study allows.")
    return (text.format(option=treatment.title),)
