"""A blank patient file: every fact that the study may use, with the value null."""

from posology.cohorts.patient import numeric_codes
from posology.domain.codes import Names, display_name, has_prefix
from posology.domain.embedding_components import EmbeddingReduction
from posology.domain.formulas.formula import Formula
from posology.domain.profile import Profile
from posology.domain.study import Study

_ABOUT = (
    "null: unknown. A number: a measurement, in the unit of the schema. A text: the category. A "
    "list: several categories. true: present. Do not enter names or dates of birth."
)


def blank_patient_file(study: Study, profile: Profile | None) -> dict:
    """The file as JSON, with its JSON Schema; a profile adds its known categories."""
    fields = _fields(study, profile)
    reductions = profile.reductions if profile else ()
    return {
        "posology": "patient",
        "study": study.name,
        "about": " ".join([_ABOUT, *map(_describe_embedding, reductions)]),
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


def _describe_embedding(reduction: EmbeddingReduction) -> str:
    return (
        f"A vector of {reduction.model} is {len(reduction.center)} rows of `events`, one number "
        f"each: {reduction.inputs[0]} to {reduction.inputs[-1]}."
    )


def _fields(study: Study, profile: Profile | None) -> dict[str, dict]:
    names = _names(study, profile)
    numeric = frozenset(
        code
        for formula in _formulas(study)
        for term in formula.terms
        if term.kind == "value"
        for code in term.codes
    )
    fields: dict[str, dict] = {}
    for stem in _stems(study, profile):
        categories = sorted(
            code.removeprefix(stem + "//")
            for code in (profile.codes if profile else _formula_codes(study))
            if code != stem and has_prefix(code, stem)
        )
        is_number = stem in numeric or (profile is not None and stem in numeric_codes(profile))
        kinds = ["number", "null"] if is_number else ["string", "boolean", "array", "null"]
        examples = {} if is_number else {"examples": categories} | _meanings(stem, names)
        fields[stem] = {"title": display_name(stem, names), "type": kinds} | examples
    return fields


def _names(study: Study, profile: Profile | None) -> tuple[tuple[str, str], ...]:
    """Names of the study's codes, and of those of the vocabulary."""
    if profile is None:
        return study.names
    named = ((code, profile.title(row)) for row, code in enumerate(profile.codes))
    return (*study.names, *((code, title) for code, title in named if title))


def _meanings(stem: str, names: Names) -> dict[str, str]:
    """What each category with a name means."""
    prefix = stem + "//"
    named = {c.removeprefix(prefix): name for c, name in names if c.startswith(prefix)}
    meanings = "; ".join(f"{category}: {name}" for category, name in named.items())
    return {"description": meanings} if named else {}


def _stems(study: Study, profile: Profile | None) -> list[str]:
    """The fact names: a code family, or `GENOTYPE//CYP2C9` if the family's codes are nested."""
    codes = profile.codes if profile else _formula_codes(study)
    stems: dict[str, None] = {}
    embeddings = tuple(r.model for r in profile.reductions) if profile else ()
    for family in study.profile.families:
        if any(has_prefix(model, family) for model in embeddings):
            continue
        members = [c for c in codes if has_prefix(c, family)]
        nested = {"//".join(c.split("//")[:2]) for c in members if c.count("//") >= 2}
        for stem in sorted(nested) or [family]:
            stems[stem] = None
        if nested and any(c.count("//") == 1 for c in members):
            stems[family] = None
    return list(stems)


def _formulas(study: Study) -> list[Formula]:
    from_rules = [rule.formula for rule in study.rules if rule.formula is not None]
    return [*study.profile.refit, *from_rules]


def _formula_codes(study: Study) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(code for f in _formulas(study) for term in f.terms for code in term.codes)
    )
