"""Fill the source attributes from a study and what was kept with its policy."""

from collections.abc import Iterator, Mapping
from typing import Any

from posology.domain.codes import display_names, has_prefix
from posology.domain.profile import Profile
from posology.domain.study import Bounds, Study
from posology.language.numbers import number
from posology.report.model_facts.attributes import ATTRIBUTES, NOT_PROVIDED, ModelFact

STUDY, SAVED, DETAILS = "study file", "saved policy", "details"
_DEMOGRAPHIC = (
    ("race", ("RACE", "RACE_REPORTED")),
    ("ethnicity", ("ETHNICITY", "ETHNICITY_REPORTED")),
    ("language", ("LANGUAGE",)),
    ("sexual orientation", ("SEXUAL_ORIENTATION",)),
    ("gender identity", ("GENDER_IDENTITY",)),
    ("sex", ("SEX",)),
    ("date of birth or age", ("MEDS_BIRTH", "AGE", "AGE_DECADE")),
    ("social determinants of health", ("LIFESTYLE", "LOCATION", "ENVIRONMENT")),
)
"""Variables of 45 CFR 170.315(b)(11)(iv)(A)(5) to (12), and the families that hold them."""
_USERS = "Clinicians who treat such patients, and the researchers who fitted it."
_ROLE = (
    "Informs a decision, beside a clinician's own judgement. It does not decide, and it is no "
    "medical device."
)


def fill_facts(
    study: Study, profile: Profile, evidence: Mapping[str, Any], details: Mapping[str, str]
) -> tuple[ModelFact, ...]:
    """Every attribute; what the details state comes first, what nobody knows is not provided."""
    known = {key: (text, STUDY) for key, text in _of_study(study)}
    known |= {key: (text, SAVED) for key, text in _of_policy(study, profile, evidence)}
    known |= {key: (text, DETAILS) for key, text in details.items()}
    return tuple(
        ModelFact(attribute, *known.get(attribute.key, (NOT_PROVIDED, "")))
        for attribute in ATTRIBUTES
    )


def _of_study(study: Study) -> Iterator[tuple[str, str]]:
    titles = ", ".join(t.title for t in study.formulary.treatments)
    outcome = display_names(study.outcome.codes, study.names)
    dose = study.dose or next((t.dose for t in study.formulary.treatments if t.dose), None)
    with_dose = f", and a dose in {dose.unit}" if dose else ""
    yield "output", f"A comparison of {titles} by {outcome}{with_dose}, with intervals and harms."
    yield "output_type", "Recommendation."
    yield "intended_use", study.purpose
    yield "population", _criteria(study)
    yield "users", _USERS
    yield "role", _ROLE
    yield "out_of_scope", study.not_for
    yield "criteria", f"{_criteria(study)} {_split(study)}"
    if study.subgroups:
        names = ", ".join(name for name, _ in study.subgroups)
        yield "fairness_approach", f"Results are reported by subgroup: {names}."


def _of_policy(
    study: Study, profile: Profile, evidence: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    used, unused = [], []
    for name, families in _DEMOGRAPHIC:
        has = any(has_prefix(code, family) for code in profile.codes for family in families)
        (used if has else unused).append(name)
    words = f"Used: {', '.join(used) or 'none'}. Not used: {', '.join(unused) or 'none'}."
    yield "demographic_inputs", words
    risks = [str(text) for text in evidence.get("warnings", ())]
    risks += [
        f"Safety rules “{pack.title}” {pack.version}: reviewed by {pack.reviewed_by or 'nobody'}, "
        f"current until {pack.expires}."
        for pack in study.safety_packs.packs
    ]
    if risks:
        yield "limitations", " ".join(risks)
    dose = evidence.get("dose")
    if isinstance(dose, dict) and dose.get("error"):
        yield "validity_test", _dose_error(dose)
    effects = study_findings(evidence)
    if effects.get("sentence"):
        count = f" ({effects['patients']:,} patients)" if effects.get("patients") else ""
        yield "validity_test", f"{effects['sentence']}{count}"
        groups = [_group(row) for row in effects.get("groups", ()) if row.get("gain")]
        if groups:
            yield "fairness_test", f"Gain of choosing by the patient: {'; '.join(groups)}."


def study_findings(evidence: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the effect study found, as a saved policy keeps it; empty without one."""
    effects = evidence.get("effects")
    found = effects.get("study") if isinstance(effects, dict) else None
    return found if isinstance(found, dict) else {}


def _dose_error(dose: Mapping[str, Any]) -> str:
    value, low, high = (number(f"{dose['error'][key]:.2g}") for key in ("value", "low", "high"))
    return (
        f"In {dose['patients']:,} validation patients the dose was off by {value} {dose['unit']} "
        f"on average ({low} to {high})."
    )


def _group(row: Mapping[str, Any]) -> str:
    gain = row["gain"]
    return (
        f"{row['family']} {row['group']} {gain['value']:.2g} "
        f"({gain['low']:.2g} to {gain['high']:.2g})"
    )


def _criteria(study: Study) -> str:
    """Who is in the study, in words."""
    decision, names = study.decision, study.names
    parts = [f"Patients with {display_names(decision.codes, names)}"]
    if decision.eligible:
        parts.append(f"with {display_names(decision.eligible, names)} recorded")
    parts += [
        f"with {display_names(span.codes, names)} {_bounds(span.bounds)}"
        for span in decision.ranges
    ]
    if decision.excluded:
        parts.append(f"without {display_names(decision.excluded, names)}")
    if decision.new_users_days is not None:
        parts.append(f"with none of the options in the {decision.new_users_days:g} days before")
    return f"{', '.join(parts)}."


def _bounds(bounds: Bounds) -> str:
    sides = (("at least", bounds.at_least), ("at most", bounds.at_most))
    return " and ".join(f"{word} {value:g}" for word, value in sides if value is not None)


def _split(study: Study) -> str:
    split = study.split
    if split.by == "time":
        return "Split by the date of the first decision."
    shares = f"{split.train:.0%} training, {split.validation:.0%} validation, {split.test:.0%} test"
    return f"Split by {split.by}: {shares}." if split.train else f"Split by {split.by}."
