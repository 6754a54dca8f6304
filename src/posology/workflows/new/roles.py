"""Which column of a table is what: as stated, else the best guess from names and cells."""

import re
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from posology.errors import UserError
from posology.records.sources.tables.column_kinds import ENTRY, Column, plain_name
from posology.workflows.new.later import measured_again
from posology.workflows.new.request import DAYS, Request
from posology.workflows.new.table import Table

TREATMENT = re.compile(
    r"treat|drug|arm$|^arm|therap|medic|allocat|(?<!blood_)(?<!age_)group|regimen|^rx$|^trt"
    r"|behandl|arznei|medik|wirkstoff|praparat|(?<!blut)(?<!alters)gruppe|leczeni|lek$"
)
OUTCOME = re.compile(
    r"outcome|result|after|follow|respon|success|final|_end$|died|death|relaps|recur|cured"
    r"|event|remission|improv|readmi|^status|(vital|survival|disease|cancer)_?status"
    r"|(^|_)nach(_|$)|ergebnis|endpunkt|nachbeob|nachsorge|verlauf|ansprech|heilung|geheilt"
    r"|verstorben|gestorben"
    r"|^tod|todes|uberleb|ruckfall|rezidiv|progress|komplikation|entlass|ereignis|wiederaufn"
    r"|wynik|zgon|nawrot"
)
MEASURED = re.compile(
    r"outcome|result|measured|after|follow|last|end|until|ergebnis|kontroll|nachsorge|letzte|wynik"
)
TIME = re.compile(
    r"^(time|days|futime|survival|follow_?up)$|_days$|^t_?to_?"
    r"|^(time|days|survival|follow_?up)_(to|until|time|days|weeks|months|years)"
    r"|^tage|_tage$|nachbeobacht|beobachtungs|uberlebenszeit|^dni|_dni$"
)
DOSE = re.compile(r"dose|dosage|_mg(_|$)|dawka|dosis")
BAD = re.compile(
    r"died|death|dead|relaps|recur|bleed|adverse|readmi|toxic|fail|event|stroke"
    r"|^status|(vital|survival|disease|cancer)_?status|hypogly|infarct"
    r"|verstorben|gestorben|^tod|todes|ruckfall|rezidiv|progress|blutung|komplikation|ereignis"
    r"|wiederaufn|nebenwirk|infarkt|schlaganf|zgon|nawrot"
)
PAST = re.compile(
    r"(^|_)(prior|previous|history|hx|baseline|pre|before|vorher|vor)(_|$)|anamnes|vorerkrank"
)
"""Words in plain names of columns (English, German, Polish). Our choice; what they decide is
marked in the files."""
NO = ("0", "no", "n", "false", "none", "alive", "nein", "nie", "keine", "keiner", "lebt", "lebend")
"""Values that say that something did not happen."""
MOST_OPTIONS = 12
OCCURS, DOES_NOT_OCCUR = "occurs", "does_not_occur"
"""A good outcome, of a column of dates."""


_Pick = Callable[[str, str | None, str | None], str | None]


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns of a project."""

    subject: str | None
    """None: each row is a patient."""
    entry: str | None
    """None: the table has no date; every row gets the same day."""
    treatment: str
    arms: tuple[str, ...]
    """Of words that differ only in case, the most frequent."""
    outcome: str
    kind: str
    """number, category, time (to an event), or date (of an event, empty where there was none)."""
    goal: str
    """Of a number <=X or >=X; of a date OCCURS or DOES_NOT_OCCUR; else the column's good value,
    "" where that is an empty cell."""
    days: float
    """Of a time to an event, the window; else days from entry to the outcome."""
    measured: str | None
    """Column of the date of the outcome, and of the end of follow-up; None: `days` after entry."""
    time: str | None
    """Column of the days to the event or to the end of follow-up."""
    dose: str | None
    covariates: tuple[Column, ...]
    left_out: tuple[str, ...]
    """Columns that may be known only later: in the mapping as comments."""
    guessed: frozenset[str]
    """Roles that nobody stated."""


def choose_roles(table: Table, request: Request) -> Roles:
    """Stated roles, the others guessed; UserError where there is no guess or a name is unknown."""
    guessed: set[str] = set()

    def pick(role: str, stated: str | None, guess: str | None) -> str | None:
        if stated is not None:
            return table.column(stated, f"--{role}").name
        guessed.add(role)
        return guess

    if len(request.treatments) > 1:
        raise UserError("posology new: --treatment of a table is one column; give it once.")
    numbered = next((c.name for c in table.columns if c.kind == "subject"), None)
    dates = [c.name for c in table.columns if c.kind == "date"]
    subject = pick("subject", request.subject, numbered)
    if subject is not None:
        _check_rows(table, subject)
    able = [d for d in dates if d != request.outcome and not BAD.search(plain_name(d))]
    entry = pick("entry", request.entry, _first_named(able, ENTRY))
    stated = next(iter(request.treatments), None)
    treatment = pick("treatment", stated, _guess_treatment(table, subject))
    if treatment is None:
        raise _nothing(table, "a treatment (two to 12 values)", "--treatment")
    dose = _choose_dose(table, request, treatment, pick)
    taken = {subject, entry, treatment, dose}
    time = _time_column(table, request, taken)
    outcome = pick("outcome", request.outcome, _guess_outcome(table, {*taken, time}, time))
    if outcome is None:
        raise _nothing(table, "an outcome", "--outcome")
    if outcome in taken:
        raise UserError(f"--outcome {outcome}: is another role's column already; name another one.")
    kind = _outcome_kind(table.column(outcome, "--outcome"), table)
    if kind == "date":
        _check_dates(outcome, entry, request)
    time = time if kind == "category" else None
    kind = "time" if time is not None else kind
    measured = _measured(dates, {*taken, outcome}) if time is None and entry is not None else None
    if request.goal is None:
        guessed.add("goal")
    taken |= {outcome, time, measured}
    return Roles(
        subject,
        entry,
        treatment,
        _arms(table, treatment),
        outcome,
        kind,
        _goal(table, request.goal, outcome, kind),
        _days(table, request, (entry, None if kind == "date" else measured, time), guessed),
        measured,
        time,
        dose,
        *_others(table, taken, entry is not None),
        frozenset(guessed),
    )


def _measured(dates: Sequence[str], taken: set[str | None]) -> str | None:
    """The first column of dates that is named like the end of follow-up."""
    free = (name for name in dates if name not in taken)
    return next((name for name in free if MEASURED.search(plain_name(name))), None)


def _check_rows(table: Table, subject: str) -> None:
    """UserError where a patient has several rows; a row that stands twice is one, as at ingest."""
    of_patient = Counter(table.different_rows(subject))
    (most, rows), *_ = of_patient.most_common(1) or [("", 0)]
    if rows > 1:
        several = sum(count > 1 for count in of_patient.values())
        raise UserError(
            f"{table.path}: {several:,} of {len(of_patient):,} patients have several rows "
            f"({subject} {most!r}: {rows}); this command writes projects of one row a patient. "
            "Where these are slips, mend the table; of visits, begin with `posology ingest "
            "--suggest` and docs/longitudinal-study.md; or name another column with --subject."
        )


def _first_named(names: Sequence[str], words: re.Pattern[str]) -> str | None:
    named = [name for name in names if words.search(plain_name(name))]
    return next(iter([*named, *names]), None)


def _is_few(table: Table, column: Column) -> bool:
    return 2 <= len(table.values(column.name)) <= MOST_OPTIONS


def _guess_treatment(table: Table, subject: str | None) -> str | None:
    """A column of few values: the first named like a treatment, else the only one of categories."""
    few = [c for c in table.columns if c.name != subject and _is_few(table, c)]
    named = [c for c in few if TREATMENT.search(plain_name(c.name)) and c.kind != "date"]
    others = [c for c in few if c.kind == "category" and not _is_outcome(c, table)]
    return next((c.name for c in [*named, *(others if len(others) == 1 else [])]), None)


def _choose_dose(table: Table, request: Request, treatment: str, pick: _Pick) -> str | None:
    if request.question != "dose":
        if request.dose is not None:
            raise UserError("posology new: --dose needs --question dose.")
        return None
    numbers = [c.name for c in table.columns if c.kind == "number" and c.name != treatment]
    guess = next((name for name in numbers if DOSE.search(plain_name(name))), None)
    dose = pick("dose", request.dose, guess)
    if dose is None:
        raise _nothing(table, "a dose", "--dose")
    if not table.numbers(dose):
        raise UserError(f"--dose {dose}: the column has no numbers.")
    return dose


def _time_column(table: Table, request: Request, taken: set[str | None]) -> str | None:
    """The column of the time to an event: stated by --days, else named like one."""
    if request.days is not None and not _is_number(request.days):
        name = _in_days(table.column(request.days, "--days").name)
        if not table.numbers(name):
            raise UserError(
                f"--days {name}: the column has no numbers; give a column of days, or the window "
                "itself, such as --days 365."
            )
        return name
    if request.days is not None:
        return None
    numbers = [c.name for c in table.columns if c.kind == "number" and c.name not in taken]
    guess = next((name for name in numbers if TIME.search(plain_name(name))), None)
    return guess if guess is None else _in_days(guess)


def _in_days(name: str) -> str:
    if re.search(r"month|year|week|monat|jahr|woche|miesi", plain_name(name)):
        raise UserError(
            f"--days {name}: the name says months, years or weeks; give a column of days, or the "
            "window itself, such as --days 365."
        )
    return name


def _guess_outcome(table: Table, taken: set[str | None], time: str | None) -> str | None:
    others = [
        c
        for c in table.columns
        if c.name not in taken
        and (len(table.values(c.name)) > 1 or (time is not None and _is_marked(table, c.name)))
    ]
    able = [
        c
        for c in others
        if c.kind in ("number", "category") or (c.kind == "date" and BAD.search(plain_name(c.name)))
    ]
    named = [c for c in able if _is_outcome(c, table)]
    clear = [c for c in named if re.search("outcome|endp", c.name.lower())]
    bad = [c for c in named if BAD.search(plain_name(c.name))]
    return next((c.name for c in [*clear, *bad, *named, *reversed(able)]), None)


def _is_marked(table: Table, name: str) -> bool:
    """Whether a column says of an event only where there was one: `1`, else nothing."""
    has_gaps = len(table.filled(name)) < len(table.cells[name])
    return has_gaps and len(table.values(name)) == 1 and BAD.search(plain_name(name)) is not None


def _is_outcome(column: Column, table: Table) -> bool:
    """Whether the name is that of something later."""
    if column.name in measured_again(table.cells):
        return True
    plain = plain_name(column.name)
    return OUTCOME.search(plain) is not None and PAST.search(plain) is None


def _outcome_kind(column: Column, table: Table) -> str:
    if column.kind in ("number", "date"):
        return column.kind
    if 1 <= len(table.values(column.name)) <= MOST_OPTIONS:
        return "category"
    raise UserError(
        f"--outcome {column.name}: is neither a column of numbers, nor one of dates, nor one of at "
        f"most {MOST_OPTIONS} values (it looks like: {column.kind}). Make a column that says what "
        "came of each patient."
    )


def _check_dates(outcome: str, entry: str | None, request: Request) -> None:
    """UserError where an event's date cannot be turned into days from entry."""
    if entry is None:
        raise UserError(
            f"--outcome {outcome}: holds dates, and no column has the date of entry; name it with "
            "--entry."
        )
    if request.days is not None and not _is_number(request.days):
        raise UserError(
            f"--days {request.days}: the outcome {outcome} holds dates, from which the days are "
            "counted; give the window as a number, such as --days 365."
        )


def _goal(table: Table, stated: str | None, outcome: str, kind: str) -> str:
    if kind == "number":
        if stated is None:
            return f"<={statistics.median(table.numbers(outcome)):g}"
        text = stated.replace(" ", "")
        if not re.fullmatch(r"(<=|>=)[-+]?\d+(\.\d+)?", text):
            raise UserError(f"--goal {stated!r}: of numbers write '<=140' or '>=50'.")
        return text
    is_bad = kind == "time" or BAD.search(plain_name(outcome))
    if kind == "date":
        if stated is not None and stated not in (OCCURS, DOES_NOT_OCCUR):
            raise UserError(
                f"--goal {stated!r}: {outcome} holds dates; write {DOES_NOT_OCCUR} if the event is "
                f"bad, {OCCURS} if it is good."
            )
        return stated or (DOES_NOT_OCCUR if is_bad else OCCURS)
    values = table.values(outcome)
    if len(values) == 1:
        return _goal_of_one(stated, outcome, kind, values[0])
    if stated is not None:
        if stated not in values:
            raise UserError(f"--goal {stated!r}: {outcome} has the values {', '.join(values)}.")
        return stated
    negative = [v for v in values if v.lower() in NO]
    positive = [v for v in values if v.lower() not in NO]
    return next(iter([*negative, *values] if is_bad else [*positive, *values]))


def _goal_of_one(stated: str | None, outcome: str, kind: str, event: str) -> str:
    """No event, of a column that says only where there was one; UserError where that is unclear."""
    if kind != "time":
        raise UserError(
            f"--outcome {outcome}: has no value but {event!r}. Write what an empty cell means, "
            "such as 0, or name the column of days to the event with --days."
        )
    if stated is not None:
        raise UserError(
            f"--goal {stated!r}: {outcome} has no value but {event!r}, the event; leave --goal out."
        )
    return ""


def _arms(table: Table, treatment: str) -> tuple[str, ...]:
    arms = tuple(sorted({v.casefold(): v for v in reversed(table.values(treatment))}.values()))
    if not 2 <= len(arms) <= MOST_OPTIONS:
        raise UserError(
            f"--treatment {treatment}: has {len(arms)} different values; a study compares 2 to "
            f"{MOST_OPTIONS} options."
        )
    return arms


def _days(
    table: Table,
    request: Request,
    columns: tuple[str | None, str | None, str | None],
    guessed: set[str],
) -> float:
    """Days from entry to the outcome; of times to an event, a window that most are followed for."""
    entry, measured, time = columns
    if request.days is not None and _is_number(request.days):
        return float(request.days)
    guessed.add("days")
    if time is not None:
        return float(max(1, round(statistics.median(table.numbers(time)))))
    if entry is not None and measured is not None:
        days = table.days_between(entry, measured)
        if days:
            return float(max(1, max(days)))
    return DAYS


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None


def _others(
    table: Table, taken: set[str | None], has_entry: bool
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Covariates, and columns that may be known only after the decision or are no features.

    A date of birth tells no age where the day of entry is made up. UserError without a covariate.
    """
    covariates, left_out = [], []
    for column in table.columns:
        if column.name in taken:
            continue
        plain = plain_name(column.name)
        is_late = _is_outcome(column, table) or TIME.search(plain) is not None
        able = column.kind in ("number", "category", "sex", "code")
        able = able or (column.kind == "birth" and has_entry)
        if able and not is_late and len(table.values(column.name)) > 1:
            covariates.append(column)
        else:
            left_out.append(column.name)
    if not covariates:
        raise UserError(
            f"{table.path}: no column is a fact of the patients at entry, such as age or sex, from "
            "which a policy could choose; add one."
        )
    return tuple(covariates), tuple(left_out)


def _nothing(table: Table, what: str, option: str) -> UserError:
    return UserError(
        f"{table.path}: no column looks like {what}; name it with {option}. The columns are "
        f"{', '.join(table.cells)}."
    )
