"""Facts as a clinician knows them, and the values that training patients had of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from posology.advice.form.field import Field, Form
from posology.advice.form.unit_names import plain_unit
from posology.domain.codes import has_prefix, without_system
from posology.domain.cohort import Cohort
from posology.domain.formulas.ages import ages
from posology.domain.formulas.kidney import CKD_EPI, COCKCROFT_GAULT
from posology.domain.history import History, StepIndex, subject_rows, visible_events
from posology.domain.profile import Profile
from posology.domain.study import Study

NUMBER, CHOICE, PRESENCE, SINCE = "number", "choice", "presence", "since"
"""Kinds: a number; one of several codes; a code that is there or not; a date, as years since it:
birth, or a finding that (nearly) all training patients have."""
EVERYONE = 0.98
"""Share of training patients who have a finding from which on only its date tells them apart."""
BIRTH = "MEDS_BIRTH"
GRID = 10
"""Values kept of a number: the middles of so many equal shares of the training patients."""
SMALLEST_CELL = 5
"""Training patients that a value must have at least, so that it describes nobody."""
NO_EVENT = -1


@dataclass(frozen=True, slots=True)
class FactValue:
    """A value that training patients had."""

    row: int
    """Vocabulary row of its event; NO_EVENT where the fact is that there is none."""
    number: float | None
    """In the records' unit; years since a date."""
    share: float
    """Of the training patients whose fact is known; sums to 1 over the values."""


@dataclass(frozen=True, slots=True)
class Fact:
    """All codes that mean one thing; they are left out, and change, together."""

    name: str
    unit: str
    kind: str
    rows: tuple[int, ...]
    """Vocabulary rows; the first one has the numbers that are shown."""
    values: tuple[FactValue, ...] = ()
    known: float = 0.0
    """Share of training patients who have an event of it."""
    is_treatment: bool = False
    """Whether it is an option that was given before."""
    days_before: float | None = None
    """Median days from its last event to the decision; None for facts without a date."""
    age_as: str = ""
    """`decades` where the number is one, `birth` where the fact is its date."""


def find_facts(form: Form, study: Study, profile: Profile) -> tuple[Fact, ...]:
    """Every vocabulary row in exactly one fact, apart from results of the profile's formulas.

    Codes that no field of the form has are facts of their own; the kidney formulas' results are one
    fact, together with the creatinine that they are computed from.
    """
    row = {code: i for i, code in enumerate(profile.codes)}
    taken = {row[f.event] for f in profile.formulas if f.event in row}
    facts = []
    for group in (_kidney_fact(study, row), *_vector_facts(profile), *_field_facts(form, row)):
        rows = tuple(r for r in group.rows if r not in taken)
        if rows:
            taken |= set(rows)
            facts.append(replace(group, rows=rows))
    others = [r for r in range(len(profile.codes)) if r not in taken]
    facts += [Fact(profile.name(r), "", PRESENCE, (r,)) for r in others]
    given = tuple(code for t in study.formulary.treatments for code in t.codes)
    options = profile.rows(given)
    return tuple(replace(f, is_treatment=bool(options & set(f.rows))) for f in facts)


def _kidney_fact(study: Study, row: dict[str, int]) -> Fact:
    spec = study.profile.kidney
    inputs = (
        ()
        if spec is None
        else tuple(
            i for code, i in row.items() if any(has_prefix(code, c) for c in spec.creatinine)
        )
    )
    results = tuple(row[c] for c in (CKD_EPI, COCKCROFT_GAULT) if c in row)
    return Fact("kidney function (eGFR)", "mL/min/1.73 m²", NUMBER, results and results + inputs)


def _vector_facts(profile: Profile) -> list[Fact]:
    """The components of an image's vector as one fact."""
    return [
        Fact(f"image read by {r.model}", "", PRESENCE, tuple(sorted(profile.rows((r.model,)))))
        for r in profile.reductions
    ]


def _field_facts(form: Form, row: dict[str, int]) -> list[Fact]:
    """Facts of the form's fields: choices as one, findings that may occur together one by one."""
    facts = []
    for field in form.fields:
        if field.kind == "choice" and field.several:
            continue  # each of its codes has a field of its own
        fact = _fact_of_field(field, row)
        if fact is not None:
            facts.append(fact)
    return facts


def _fact_of_field(field: Field, row: dict[str, int]) -> Fact | None:
    codes = tuple(code for _, code in field.choices if code) or (field.stem,)
    rows = tuple(row[code] for code in codes if code in row)
    if not rows:
        return None
    kind = CHOICE if len(rows) > 1 else PRESENCE
    if field.kind in ("number", "age"):
        kind = SINCE if field.age_as == "birth" else NUMBER
    unit = plain_unit(field.unit)
    name = without_system(field.name)
    return Fact(name, unit, kind, rows, days_before=field.days_before, age_as=field.age_as)


LatestEvents = Int64[np.ndarray, "decision fact"]


def latest_events(
    facts: Sequence[Fact], profile: Profile, history: History, decisions: StepIndex
) -> LatestEvents:
    """Row of the last visible event of each fact, with a number for numbers; -1 if none."""
    fact_of_row = np.full(len(profile.codes), -1)
    needs_number = np.zeros(len(facts) + 1, dtype=bool)  # the last for events of no fact
    for i, fact in enumerate(facts):
        needs_number[i] = fact.kind == NUMBER
        fact_of_row[list(fact.rows[:1] if fact.kind == NUMBER else fact.rows)] = i
    owner, event = visible_events(history, decisions)
    fact = fact_of_row[history.code[event]]
    keep = (fact >= 0) & ~(needs_number[fact] & np.isnan(history.value[event]))
    latest = np.full((len(decisions), len(facts)), -1, dtype=np.int64)
    latest[owner[keep], fact[keep]] = event[keep]  # in time order: the last one is written last
    return latest


def measure_values(
    facts: Sequence[Fact], history: History, decisions: StepIndex, profile: Profile
) -> tuple[Fact, ...]:
    """The facts with the values of these patients at their last decisions."""
    subject = subject_rows(history, decisions)
    last = decisions[np.append(subject[1:] != subject[:-1], True)] if len(decisions) else decisions
    latest = latest_events(facts, profile, history, last)
    return tuple(
        _measured(fact, latest[:, i], history, last) if len(last) else fact
        for i, fact in enumerate(facts)
    )


def _measured(fact: Fact, event: np.ndarray, history: History, last: StepIndex) -> Fact:
    known = float((event >= 0).mean())
    if fact.kind == PRESENCE and known >= EVERYONE and not fact.is_treatment:
        fact = replace(fact, kind=SINCE)
    values = _values(fact, event, history, last)
    return replace(fact, values=values, known=round(known, 4))


def fact_numbers(
    fact: Fact, event: Int64[np.ndarray, " decision"], history: History, decisions: StepIndex
) -> np.ndarray:
    """The number of the fact's last event, or the years since it; NaN where there is none.

    An age is in completed years, as it is written.
    """
    known = event >= 0
    number = np.full(len(event), np.nan)
    if fact.kind == SINCE:
        step = np.searchsorted(history.event_offsets, event[known], side="right") - 1
        number[known] = ages(history.time[step], history.time[decisions[known]])
    else:
        number[known] = history.value[event[known]]
    return np.floor(number) if fact.age_as == "birth" else number


def _values(
    fact: Fact, event: np.ndarray, history: History, decisions: StepIndex
) -> tuple[FactValue, ...]:
    known = event >= 0
    if fact.kind in (NUMBER, SINCE):
        numbers = fact_numbers(fact, event, history, decisions)
        is_age = fact.age_as == "birth"
        return _number_values(fact.rows[0], numbers[~np.isnan(numbers)], is_age)
    rows = np.where(known, history.code[np.maximum(event, 0)], NO_EVENT)
    if fact.kind == CHOICE:
        rows = rows[known]
    kinds, counts = np.unique(rows, return_counts=True)
    large = counts >= SMALLEST_CELL
    return _with_shares([(int(r), None) for r in kinds[large]], counts[large])


def _number_values(row: int, numbers: np.ndarray, is_whole: bool) -> tuple[FactValue, ...]:
    """The distinct values if they are few, else the middles of equal shares."""
    kinds, counts = np.unique(numbers, return_counts=True)
    large = counts >= SMALLEST_CELL
    if len(kinds) <= GRID and large.any():
        return _with_shares([(row, float(x)) for x in kinds[large]], counts[large])
    if len(numbers) < GRID * SMALLEST_CELL:
        return ()
    middles = np.quantile(numbers, (np.arange(GRID) + 0.5) / GRID)
    digits = ".0f" if is_whole else ".3g"
    rounded, times = np.unique([float(f"{x:{digits}}") for x in middles], return_counts=True)
    return _with_shares([(row, float(x)) for x in rounded], times)


def _with_shares(
    values: list[tuple[int, float | None]], counts: np.ndarray
) -> tuple[FactValue, ...]:
    total = max(int(counts.sum()), 1)
    return tuple(
        FactValue(row, number, round(float(n) / total, 4))
        for (row, number), n in zip(values, counts, strict=True)
    )


def measure_facts_of(train: Cohort, form: Form) -> tuple[Fact, ...]:
    """The facts of a cohort's training split, with the values that its patients had."""
    facts = find_facts(form, train.study, train.profile)
    return measure_values(facts, train.history, np.unique(train.last_step), train.profile)
