"""A blank patient file: every fact the study may use, null until it is filled in."""

from posology.cohorts.patient import numeric_codes
from posology.domain.codes import belongs
from posology.domain.embedding_components import Reduction
from posology.domain.formulas.formula import Formula
from posology.domain.profile import Profile
from posology.domain.study import Study

_ABOUT = (
    "null: unknown. A number: measured, in the unit the schema says. A text: the answer. A list: "
    "several answers. true: known present. Names and dates of birth do not belong here."
)


def blank(study: Study, profile: Profile | None) -> dict:
    """The file's JSON, with its JSON Schema inside; a profile adds the answers it knows."""
    fields = _fields(study, profile)
    return {
        "posology": "patient",
        "study": study.name,
        "about": " ".join([_ABOUT, *(_vector(r) for r in (profile.reductions if profile else ()))]),
        "schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "required": ["facts"],
            "properties": {
                "facts": {"type": "object", "properties": fields},
                "events": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["code"],
                        "properties": {
                            "code": {"type": "string"},
                            "time": {"type": ["string", "null"], "format": "date-time"},
                            "value": {"type": ["number", "null"]},
                        },
                    },
                },
            },
        },
        "facts": dict.fromkeys(fields),
        "events": [],
    }


def _vector(reduction: Reduction) -> str:
    return (
        f"A vector of {reduction.model} is {len(reduction.center)} of `events`, a number each: "
        f"{reduction.inputs[0]} to {reduction.inputs[-1]}."
    )


def _fields(study: Study, profile: Profile | None) -> dict[str, dict]:
    numbers = frozenset(
        code
        for formula in _formulas(study)
        for term in formula.terms
        if term.kind == "value"
        for code in term.codes
    )
    asked: dict[str, dict] = {}
    for stem in _stems(study, profile):
        answers = sorted(
            code.removeprefix(stem + "//")
            for code in (profile.codes if profile else _formula_codes(study))
            if code != stem and belongs(code, stem)
        )
        is_number = stem in numbers or (profile is not None and stem in numeric_codes(profile))
        asked[stem] = (
            {"type": ["number", "null"]}
            if is_number
            else {"type": ["string", "boolean", "array", "null"], "examples": answers}
        )
    return asked


def _stems(study: Study, profile: Profile | None) -> list[str]:
    """One key a question: `GENOTYPE//CYP2C9`, not one a family, where the answers are nested."""
    codes = profile.codes if profile else _formula_codes(study)
    stems: dict[str, None] = {}
    vectors = tuple(r.model for r in profile.reductions) if profile else ()
    for family in study.profile.families:
        if any(belongs(model, family) for model in vectors):
            continue
        inside = [c for c in codes if belongs(c, family)]
        deep = {"//".join(c.split("//")[:2]) for c in inside if c.count("//") >= 2}
        for stem in sorted(deep) or [family]:
            stems[stem] = None
        if deep and any(c.count("//") == 1 for c in inside):
            stems[family] = None
    return list(stems)


def _formulas(study: Study) -> list[Formula]:
    named = [rule.formula for rule in study.rules if rule.formula is not None]
    return [*study.profile.refit, *named]


def _formula_codes(study: Study) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(code for f in _formulas(study) for term in f.terms for code in term.codes)
    )
