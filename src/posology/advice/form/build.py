"""Build the patient's form of a policy: from its vocabulary and what the codes were in training."""

import re
from dataclasses import dataclass, replace

import numpy as np

from posology.advice.form.field import DATED, EITHER, STATIC, UNKNOWN, Field, Form, normalise
from posology.advice.form.limits import AGE, number_limits, seen_limits
from posology.advice.form.training_facts import TrainingFacts
from posology.domain.codes import display_name, given_name, has_prefix
from posology.domain.profile import Profile
from posology.domain.study import KidneySpec, Study

BIRTH = "MEDS_BIRTH"
SPLIT_AT_MOST = 40
"""Groups of dated codes up to this size have a field for each code, so that each has its own date;
larger ones are one field, with a list. Our choice."""

_DECADE, _YEARS = ("{decade}",), ("a", "{years}", "years", "year", "yr")
_SCALE = re.compile(r"\d+ to \d+")
"""What may follow a name and is no unit: `diet quality, 0 to 10`."""
_DERIVED = "FORMULA"
"""Family of the results of formulas, which are computed from the facts."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the codes."""

    study: Study
    profile: Profile
    facts: TrainingFacts | None
    row: dict[str, int]


def build_form(study: Study, profile: Profile, facts: TrainingFacts | None) -> Form:
    """The form of a policy. facts: None if the policy was saved without them."""
    known = _Known(study, profile, facts, {code: row for row, code in enumerate(profile.codes)})
    vectors = tuple((r.model, len(r.center)) for r in profile.reductions)
    codes = [
        c
        for c in profile.codes
        if not any(has_prefix(c, p) for p in (_DERIVED, *(model for model, _ in vectors)))
    ]
    numbers = {c: None for c in codes if _is_number(known, c)}
    fields = [_number_field(known, code) for code in numbers]
    fields += [f for stem, members in _groups(codes, numbers) for f in _group(known, stem, members)]
    if BIRTH in codes:
        fields.append(replace(_birth_field(), days_before=_days_before(known, BIRTH)))
    fields += _kidney_fields(study.profile.kidney, codes)
    fields = [_with_required(field, study) for field in _in_study_order(fields, study)]
    inputs = {code for reduction in profile.reductions for code in reduction.inputs}
    extra = {f.stem for f in fields} | {c for f in fields for _, c in f.choices if c}
    return Form(
        study=study.name,
        fields=tuple(_with_distinct_names(fields)),
        codes=frozenset({*profile.codes, *inputs, *extra}),
        families=study.profile.families,
        required=tuple((c, _words(known, c)) for c in study.profile.required_for_advice),
        names=study.names,
        vectors=vectors,
    )


def build_study_form(study: Study) -> Form:
    """The form of a study without a policy: families, and what its formulas name."""
    formulas = [*study.profile.refit, *(r.formula for r in study.rules if r.formula is not None)]
    terms = [term for formula in formulas for term in formula.terms]
    codes = dict.fromkeys(code for term in terms for code in term.codes)
    numbers = {code for term in terms if term.kind == "value" for code in term.codes}
    families = [f for f in study.profile.families if not any(has_prefix(c, f) for c in codes)]
    vocabulary = tuple(c for c in codes if not any(d != c and has_prefix(d, c) for d in codes))
    spread = np.array([2.0 if c in numbers else 1.0 for c in vocabulary], dtype=np.float32)
    profile = Profile(vocabulary, np.zeros(len(vocabulary), np.float32), spread)
    form = build_form(study, profile, None)
    known = _Known(study, profile, None, {})
    others = [
        _birth_field() if f == BIRTH else Field(_words(known, f), f, "choice", several=True)
        for f in families
    ]
    fields = [_with_required(f, study) for f in (*form.fields, *others)]
    fields = _with_distinct_names(_in_study_order(fields, study))
    return replace(form, fields=tuple(fields))


def _words(known: _Known, code: str) -> str:
    """The name of a fact: the study's, the records', else made of the code."""
    title = known.profile.title(known.row[code]) if code in known.row else ""
    return title or display_name(code, known.study.names)


def _title(known: _Known, stem: str, code: str) -> str:
    """The name of a choice, if it says more than the choice itself."""
    title = known.profile.title(known.row[code])
    name = given_name(stem, known.study.names)
    return "" if title == f"{name}: {code.rpartition('//')[2]}" else title


def _is_number(known: _Known, code: str) -> bool:
    row = known.row[code]
    if known.facts is not None:
        return known.facts.numeric[row] > 0.5
    return bool(known.profile.center[row] != 0 or known.profile.spread[row] != 1)


def _timing(known: _Known, codes: list[str]) -> str:
    if known.facts is None:
        return UNKNOWN
    shares = [known.facts.dated[known.row[c]] for c in codes]
    if max(shares) < 0.01:
        return STATIC
    return DATED if min(shares) > 0.5 else EITHER


def _days_before(known: _Known, *codes: str) -> float | None:
    if known.facts is None:
        return None
    days = [known.facts.days_before[known.row[c]] for c in codes]
    return max((d for d in days if d is not None), default=None)


def _number_field(known: _Known, code: str) -> Field:
    row = known.row[code]
    name, _, suffix = _words(known, code).partition(", ")
    unit = known.profile.unit(row) or ("" if _SCALE.fullmatch(suffix) else suffix)
    seen = seen_limits(known.facts, row)
    kind, age_as = "number", ""
    if unit in _DECADE or code.rpartition("//")[2] == "AGE_DECADE":
        kind, age_as, name, unit = "age", "decades", "age", ""
    elif unit in _YEARS and "age" in normalise(name).split():
        kind, age_as, unit = "age", "years", ""
    return Field(
        name=name,
        stem=code,
        kind=kind,
        unit=unit,
        limits=AGE if kind == "age" else number_limits(known.study, code, unit, seen),
        seen=seen,
        timing=_timing(known, [code]),
        days_before=_days_before(known, code),
        age_as=age_as,
    )


def _groups(codes: list[str], numbers: dict[str, None]) -> list[tuple[str, list[str]]]:
    """Codes without numbers by their common prefix."""
    groups: dict[str, list[str]] = {}
    for code in codes:
        if code not in numbers and code != BIRTH:
            groups.setdefault(code.rpartition("//")[0] or code, []).append(code)
    return list(groups.items())


def _group(known: _Known, stem: str, codes: list[str]) -> list[Field]:
    """The fields of one prefix: a yes or no, a choice, or a yes or no for each code."""
    values = [code.rpartition("//")[2] for code in codes]
    field = Field(
        name=_words(known, stem),
        stem=stem,
        kind="choice",
        choices=tuple(zip(values, codes, strict=True)),
        titles=tuple(_title(known, stem, c) for c in codes),
        timing=_timing(known, codes),
        days_before=_days_before(known, *codes),
        several=known.facts is None or stem in known.facts.several,
    )
    if stem in codes:
        return [replace(field, kind="yes_no", choices=(("yes", stem), ("no", "")), titles=())]
    if set(values) <= {"yes", "no"}:
        of = dict(zip(values, codes, strict=True))
        pairs = (("yes", of.get("yes", "")), ("no", of.get("no", "")))
        return [replace(field, kind="yes_no", choices=pairs, titles=(), several=False)]
    single = [_presence(known, code) for code in codes]
    is_split = field.timing in (DATED, EITHER) and field.several and len(codes) <= SPLIT_AT_MOST
    listed = [replace(f, is_listed=is_split) for f in single]
    return [replace(field, is_listed=not is_split), *listed]


def _presence(known: _Known, code: str) -> Field:
    return Field(
        name=_words(known, code),
        stem=code,
        kind="yes_no",
        choices=(("yes", code), ("no", "")),
        timing=_timing(known, [code]),
        days_before=_days_before(known, code),
    )


def _birth_field() -> Field:
    return Field("age", BIRTH, "age", limits=AGE, timing=DATED, age_as="birth")


def _kidney_fields(spec: KidneySpec | None, codes: list[str]) -> list[Field]:
    """Fields of what kidney function is computed from, where it is no fact itself."""
    if spec is None:
        return []
    dated = Field("", "", "number", timing=DATED)
    fields = [
        replace(dated, name="creatinine", stem=code, unit=spec.unit) for code in spec.creatinine
    ]
    fields += [replace(dated, name="weight", stem=code, unit="kg") for code in spec.weight]
    fields += [Field("female", code, "yes_no", (("yes", code), ("no", ""))) for code in spec.female]
    fields.append(_birth_field())
    return [f for f in fields if not any(has_prefix(c, f.stem) for c in codes)]


def _in_study_order(fields: list[Field], study: Study) -> list[Field]:
    """Fields in the order of the study's families."""

    def place(field: Field) -> int:
        matches = (i for i, f in enumerate(study.profile.families) if has_prefix(field.stem, f))
        return next(matches, len(study.profile.families))

    return sorted(fields, key=place)


def _with_required(field: Field, study: Study) -> Field:
    codes = study.profile.required_for_advice
    required = any(has_prefix(field.stem, c) or has_prefix(c, field.stem) for c in codes)
    return replace(field, required=required)


def _with_distinct_names(fields: list[Field]) -> list[Field]:
    """Listed fields first come, first named; the code is added to a name that is taken."""
    taken: set[str] = set()
    named = []
    for field in sorted(fields, key=lambda f: not f.is_listed):
        name = field.name
        if normalise(name) in taken:
            name = f"{name} ({field.stem})"
        taken.add(normalise(name))
        named.append(replace(field, name=name))
    return named
