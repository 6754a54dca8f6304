"""The fields of a form in the study's order, with distinct names, and marked where needed."""

from collections.abc import Sequence
from dataclasses import replace

from posology.advice.form.field import Field, normalise
from posology.domain.codes import has_prefix
from posology.domain.study import Study


def arrange_fields(fields: Sequence[Field], study: Study) -> tuple[Field, ...]:
    """The fields in the order of the study's families; listed ones first, since they name facts."""
    marked = [_marked(field, study) for field in _in_study_order(fields, study)]
    return tuple(_with_distinct_names(marked))


def _in_study_order(fields: Sequence[Field], study: Study) -> list[Field]:
    """Fields in the order of the study's families."""

    def place(field: Field) -> int:
        matches = (i for i, f in enumerate(study.profile.families) if has_prefix(field.stem, f))
        return next(matches, len(study.profile.families))

    return sorted(fields, key=place)


def _marked(field: Field, study: Study) -> Field:
    """The field with what the study says of its fact: whether it is needed, whether it is sex."""
    required, may_be_unknown = (
        any(has_prefix(field.stem, c) or has_prefix(c, field.stem) for c in codes)
        for codes in (study.profile.required_for_advice, study.profile.may_be_unknown)
    )
    is_sex = field.kind == "choice" and any(has_prefix(field.stem, c) for c in study.profile.sex)
    role = "sex" if is_sex else ""
    return replace(field, required=required, may_be_unknown=may_be_unknown, role=role)


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
