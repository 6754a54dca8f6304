"""The mapping file of a table of one row a patient: each column that matters becomes an event."""

from collections.abc import Iterator
from glob import escape
from statistics import quantiles

from posology.records.sources.tables.column_kinds import Column
from posology.records.sources.tables.mapping import ROW
from posology.records.sources.tables.suggest import (
    NOT_READ,
    dialect_lines,
    number_lines,
    quoted,
    time_lines,
)
from posology.workflows.new.roles import Roles
from posology.workflows.new.slips import ordinary_range
from posology.workflows.new.table import Table

ENTRY, OUTCOME, END = "TRIAL//ENTRY", "OUTCOME", "OBSERVATION_PERIOD//END"
NO_DATE = "2000-01-01"
"""Day of entry of tables without dates (made up; only intervals count)."""
_LATE = "may be known only after the treatment"


def arm_code(roles: Roles, arm: str) -> str:
    """Code of the event that this option was given."""
    return f"ARM//{roles.treatment}//{arm}"


def outcome_code(roles: Roles) -> str:
    """Code of the outcome; of a column of categories, without its value."""
    return f"{OUTCOME}//{roles.outcome}"


def covariate_code(column: Column) -> str:
    """Code of a fact known at entry; of categories, without its value."""
    own = {"birth": "MEDS_BIRTH", "sex": "SEX"}
    return own.get(column.kind, f"BASELINE//{column.name}")


def check(roles: Roles, role: str, option: str) -> str:
    """The mark of a line that holds a guess; empty where the user stated it."""
    return f"  # CHECK: guessed; {option} states it" if role in roles.guessed else ""


def write_mapping(table: Table, roles: Roles, file: str) -> str:
    """The mapping file (TOML); `file` is how it names the table."""
    lines = [
        "# Which column means what; `posology ingest --table mapping.toml` reads it.",
        "# Lines marked CHECK are guesses from names and cells: correct or confirm them.",
        f"file = {quoted(escape(file))}",
        *_subject(roles),
        *dialect_lines(table.dialect, table.columns),
        *_entry(table, roles),
        *_outcome(table, roles),
        "",
        "# What was known at entry. Remove what was not: it would tell the future.",
    ]
    for column in roles.covariates:
        lines += ["", *_oddities(table, column), *_covariate(table, column)]
    for name in roles.left_out:
        lines += ["", f"# CHECK: {quoted(name)} is not read: it {_reason(table, roles, name)}."]
    return "\n".join(lines) + "\n"


def _reason(table: Table, roles: Roles, name: str) -> str:
    kind = table.column(name, "column").kind
    if kind in NOT_READ:
        return NOT_READ[kind]
    if kind == "birth" and roles.entry is None:
        return "tells no age without a date of entry; --entry names that"
    return "has the same value everywhere" if len(table.values(name)) == 1 else _LATE


def _subject(roles: Roles) -> Iterator[str]:
    if roles.subject is None:
        yield "# CHECK: no column looks like a patient's number, so each row is a patient."
        yield f'subject = "row-{{{ROW}}}"'
    else:
        yield f"subject = {quoted(roles.subject)}{check(roles, 'subject', '--subject')}"


def _time(table: Table, name: str | None) -> Iterator[str]:
    if name is None:
        yield f"time = {quoted(NO_DATE)}  # the table has no date of entry; only intervals count"
        return
    yield f"time = {quoted(f'{{{name}}}')}"
    yield from time_lines(table.column(name, "column"), None)


def _entry(table: Table, roles: Roles) -> Iterator[str]:
    yield from ("", "# Time zero: the treatment is chosen.", "[[event]]", f'code = "{ENTRY}"')
    yield from _time(table, roles.entry)
    yield from ("", f"# The treatment given.{check(roles, 'treatment', '--treatment')}")
    yield from ("[[event]]", f"code = {quoted(arm_code(roles, f'{{{roles.treatment}}}'))}")
    yield from _time(table, roles.entry)
    yield f"when = {quoted(roles.treatment)}"
    if roles.dose is not None:
        dose = table.column(roles.dose, "--dose")
        first, *rest = number_lines(dose, table.columns, table.dialect)
        yield from (f"{first}{check(roles, 'dose', '--dose')}", *rest)


def _outcome(table: Table, roles: Roles) -> Iterator[str]:
    column = table.column(roles.outcome, "--outcome")
    yield from ("", f"# The outcome.{check(roles, 'outcome', '--outcome')}", "[[event]]")
    if roles.kind == "date":
        yield f"code = {quoted(outcome_code(roles))}"
        yield from _time(table, roles.outcome)
        yield f"when = {quoted(roles.outcome)}"
        yield from _end_of_dates(table, roles)
        return
    if roles.kind == "number":
        yield f"code = {quoted(outcome_code(roles))}"
        yield from number_lines(column, table.columns, table.dialect)
    else:
        yield f"code = {quoted(f'{outcome_code(roles)}//{{{roles.outcome}}}')}"
    yield from _outcome_time(table, roles)
    yield f"when = {quoted(roles.outcome)}"
    yield from ("", "# Until then the patient was followed.", "[[event]]", f'code = "{END}"')
    yield from _outcome_time(table, roles)
    yield f"when = {quoted(roles.outcome if roles.goal else str(roles.time))}"


def _end_of_dates(table: Table, roles: Roles) -> Iterator[str]:
    """Where no column says how long a patient was followed, the study file says until when."""
    if roles.measured is None:
        return
    yield from ("", "# Until then the patient was followed.", "[[event]]", f'code = "{END}"')
    yield from _time(table, roles.measured)
    yield f"when = {quoted(roles.measured)}"


def _outcome_time(table: Table, roles: Roles) -> Iterator[str]:
    if roles.measured is not None:
        yield from _time(table, roles.measured)
        return
    yield from _time(table, roles.entry)
    offset = quoted(roles.time) if roles.time else f"{roles.days:g}"
    mark = "  # CHECK: guessed days from entry; --days states them"
    yield f"offset = {offset}{mark if 'days' in roles.guessed else ''}"
    yield 'offset_unit = "d"'


def _oddities(table: Table, column: Column) -> Iterator[str]:
    """A mark where a number lies far from the others, or words differ in nothing but case."""
    if column.kind == "number":
        numbers = table.numbers(column.name)
        first, _, third = quantiles(numbers, n=4) if len(numbers) > 1 else (0.0, 0.0, 0.0)
        low, high = min(numbers, default=0.0), max(numbers, default=0.0)
        least, most = ordinary_range(numbers)
        if low < least or high > most:
            middle = f"half of them from {first:g} to {third:g}"
            yield f"# CHECK: numbers from {low:g} to {high:g}, {middle}. Is one a slip?"
        return
    values = sorted(table.values(column.name))
    for word in dict.fromkeys(value.casefold() for value in values):
        alike = [value for value in values if value.casefold() == word]
        if len(alike) > 1:
            yield f"# CHECK: {' and '.join(map(quoted, alike))} are read as different values."


def _covariate(table: Table, column: Column) -> Iterator[str]:
    code, cell = covariate_code(column), f"{{{column.name}}}"
    yield "[[event]]"
    if column.kind == "birth":
        yield f"code = {quoted(code)}"
        yield f"time = {quoted(cell)}"
        yield from time_lines(column, None)
    elif column.kind == "number":
        yield f"code = {quoted(code)}"
        yield from number_lines(column, table.columns, table.dialect)
    else:
        yield f"code = {quoted(f'{code}//{cell}')}"
    yield f"when = {quoted(column.name)}"
