"""Build the patient's form of a policy: from its vocabulary and what the codes were in training."""

import re
from dataclasses import dataclass, replace

import numpy as np

from posology.advice.form.arrange import arrange_fields
from posology.advice.form.field import (
    DATED,
    EITHER,
    FOLDED,
    STATIC,
    UNKNOWN,
    Field,
    Form,
    normalise,
)
from posology.advice.form.limits import AGE, number_limits, seen_limits, training_range, usual_range
from posology.advice.form.safety_fields import safety_codes, safety_fields
from posology.advice.form.training_facts import TrainingFacts
from posology.domain.codes import (
    display_name,
    given_name,
    has_prefix,
    study_codes,
    without_system,
)
from posology.domain.formulas.formula import Formula
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
    fields += safety_fields(study, [*codes, *(field.stem for field in fields)])
    fields = arrange_fields(fields, study)
    inputs = {code for reduction in profile.reductions for code in reduction.inputs}
    extra = {f.stem for f in fields} | {c for f in fields for _, c in f.choices if c}
    return Form(
        study=study.name,
        fields=fields,
        codes=frozenset({*profile.codes, *inputs, *extra}),
        families=study.profile.families,
        required=tuple((c, _words(known, c)) for c in study.profile.required_for_advice),
        may_be_unknown=study.profile.may_be_unknown,
        names=study.names,
        safety=safety_codes(study),
        standard=study.profile.standard,
        vectors=vectors,
    )


def build_study_form(study: Study) -> Form:
    """The form of a study without a policy: its families, and the codes that it names."""
    terms = [term for formula in _formulas(study) for term in formula.terms]
    named = [
        *(c for t in terms for c in t.codes),
        *study_codes(study),
        *(c for c, _ in study.names),
    ]
    families = study.profile.families
    codes = [c for c in dict.fromkeys(named) if any(has_prefix(c, f) for f in families)]
    inner = [c for c in codes if c != BIRTH and not any(_continues(d, c) for d in codes)]
    numbers = {c for t in terms if t.kind == "value" for c in t.codes} | _numbers(study)
    spread = np.array([2.0 if c in numbers else 1.0 for c in inner], dtype=np.float32)
    titles = tuple(dict(study.names).get(code, "") for code in inner)
    zeros = np.zeros(len(inner), np.float32)
    form = build_form(study, Profile(tuple(inner), zeros, spread, titles=titles), None)
    known = _Known(study, Profile((), spread[:0], spread[:0]), None, {})
    others = [
        _birth_field() if f == BIRTH else Field(_words(known, f), f, "choice", several=True)
        for f in families
        if not any(has_prefix(c, f) for c in inner)
    ]
    return replace(form, fields=arrange_fields([*form.fields, *others], study))


def _continues(code: str, prefix: str) -> bool:
    return code != prefix and has_prefix(code, prefix)


def _formulas(study: Study) -> list[Formula]:
    from_rules = [rule.formula for rule in study.rules if rule.formula is not None]
    return [*study.profile.refit, *from_rules]


def _numbers(study: Study) -> set[str]:
    """Codes of which the study compares numbers, predicts them, or names their unit."""
    lines = [line for rule in study.rules for line in rule.order]
    with_ranges = (study.decision, *study.safety, *lines)
    ranges = [r for part in with_ranges for r in part.ranges] + list(study.profile.limits)
    codes = {code for r in ranges for code in r.codes}
    codes |= {code for target in study.progression for code in target.codes}
    criteria = [criterion.fact for criterion in study.decision.criteria]
    codes |= {c for fact in criteria if fact.is_number and not fact.is_age for c in fact.codes}
    return codes | {code for code, name in study.names if ", " in name}


def _words(known: _Known, code: str) -> str:
    """The name of a fact: the study's, the records', else made of the code."""
    title = known.profile.title(known.row[code]) if code in known.row else ""
    return without_system(title or display_name(code, known.study.names))


def _title(known: _Known, stem: str, code: str) -> str:
    """The name of a choice, if it says more than the choice itself."""
    title = known.profile.title(known.row[code]) or given_name(code, known.study.names)
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
    has_facts = known.facts is not None
    usual = training_range(known.facts, row) if has_facts else usual_range(known.profile, row)
    kind, age_as = "number", ""
    if unit in _DECADE or code.rpartition("//")[2] == "AGE_DECADE":
        kind, age_as, name, unit = "age", "decades", "age", ""
    elif code in known.study.profile.age or (unit in _YEARS and "age" in normalise(name).split()):
        kind, age_as, unit = "age", "years", ""
    return Field(
        name=name,
        stem=code,
        kind=kind,
        unit=unit,
        limits=AGE if kind == "age" else number_limits(known.study, code, unit, usual),
        seen=seen_limits(known.facts, row),
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
    codes = _most_common_first(known, codes)
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
    has_dates = field.timing in (DATED, EITHER)
    if known.facts is None:  # more than two named codes are findings rather than a choice
        has_dates = all(field.titles) and len(codes) > 2
    is_split = has_dates and field.several and len(codes) <= SPLIT_AT_MOST
    listed = [replace(f, is_listed=is_split) for f in single]
    return [replace(field, is_listed=not is_split), *listed]


def _most_common_first(known: _Known, codes: list[str]) -> list[str]:
    """In the order of the vocabulary, and if they are many those that most patients had first."""
    if known.facts is None or not known.facts.share or len(codes) <= FOLDED:
        return codes
    share = known.facts.share
    return sorted(codes, key=lambda code: -share[known.row[code]])


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
