"""Doses for one patient within what safety rules leave of each range."""

from dataclasses import dataclass, replace

import numpy as np

from posology.advice.amounts import dose_words
from posology.advice.dose_support import SeenDoses, named_dose
from posology.domain.formulary import DoseRange, Treatment, narrow_range
from posology.domain.policy import Doses
from posology.domain.safety import limit_doses
from posology.domain.safety_rules.check import SafetyCheck
from posology.domain.study import Study
from posology.language.catalogue import tr


@dataclass(frozen=True, slots=True, eq=False)
class SafeDoses:
    """The options with the doses that this patient may be given, and the policy's doses in them."""

    treatments: tuple[Treatment, ...]
    single: DoseRange | None
    """Range of the study's single dose."""
    doses: Doses
    """NaN also where fewer than five training patients had a dose that is left."""
    warnings: tuple[str, ...]
    """Doses that a rule changed: whole sentences."""


def keep_doses_safe(doses: Doses, study: Study, checked: SafetyCheck, seen: SeenDoses) -> SafeDoses:
    """The doses of one patient, none beyond what the rules leave."""
    limits, allowed = checked.limits, ~checked.forbidden
    if np.isinf(limits).all():  # no rule limits a dose of this patient
        return SafeDoses(study.formulary.treatments, study.dose, doses, ())
    limited = limit_doses(doses, limits, allowed)
    by_option = limited.by_treatment.copy()
    treatments, warnings = [], []
    for k, treatment in enumerate(study.formulary.treatments):
        if treatment.dose is not None and allowed[0, k]:
            own = narrow_range(treatment.dose, *limits[0, k].tolist())
            if own != treatment.dose and not _overlaps(own, seen.get(treatment.name)):
                by_option[0, k] = np.nan
            pair = float(doses.by_treatment[0, k]), float(limited.by_treatment[0, k])
            warnings += _describe(pair, own, treatment.title)
            treatment = replace(treatment, dose=own)
        treatments.append(treatment)
    single, overall = study.dose, limited.overall
    if single is not None:
        left = limits[0][allowed[0]]
        single = narrow_range(single, float(left[:, 0].min()), float(left[:, 1].max()))
        pair = float(doses.overall[0].mean()), float(overall[0].mean())
        warnings += _describe(pair, single, "")
        if single != study.dose and not _overlaps(single, seen.get("")):
            overall = np.full_like(overall, np.nan)
            warnings.append(
                tr(
                    "No dose is given: fewer than 5 training patients had one of those that safety "
                    "rules leave."
                )
            )
    return SafeDoses(tuple(treatments), single, Doses(by_option, overall), tuple(warnings))


def _overlaps(left: DoseRange, seen: tuple[float, float] | None) -> bool:
    return seen is None or (seen[0] <= left.high and seen[1] >= left.low)


def _describe(pair: tuple[float, float], left: DoseRange, title: str) -> list[str]:
    """A sentence if a rule changed the model's dose."""
    before, after = pair
    if np.isnan(before) or before == after:
        return []
    text = tr("{dose} was lowered to {after} {unit} by a safety rule.")
    if after > before:
        text = tr("{dose} was raised to {after} {unit} by a safety rule.")
    dose = named_dose(title, before, left.unit)
    return [text.format(dose=dose, after=dose_words(after), unit=left.unit)]
