"""The study file of a table: the question, each guess marked, with what else may be stated."""

import re
from collections.abc import Iterator

from posology.advice.form.sex import words_of_sex
from posology.records.sources.tables.column_kinds import Column, plain_name, unit_in_name
from posology.records.sources.tables.sql import YES
from posology.records.sources.tables.suggest import quoted
from posology.workflows.new.mapping import ENTRY, arm_code, check, covariate_code, outcome_code
from posology.workflows.new.roles import Roles
from posology.workflows.new.table import Table

AGE = re.compile(r"^age(_y|$)|^alter$|^wiek$")
CONTROL = re.compile(
    r"control|placebo|usual|standard|^no($|_)|none|^0$"
    r"|kontrol|plazebo|ublich|unbehandelt|^keine?r?($|_)|^ohne($|_)|^nein$|^bez($|_)|^brak($|_)|^nie$"
)
"""Plain names of ages in years, and of options that are controls."""
_OF_A_DATE = re.compile(
    r"^(date[_ ]of|datum)[_ ]|[_ ](on|am|dt|datum)$|[_ ]?date$", flags=re.IGNORECASE
)
"""What says of a column's name that it holds dates, and not of what."""


def write_study(table: Table, roles: Roles, name: str, randomised: bool | None) -> str:
    """The study file (TOML) of a table's roles."""
    return "\n".join(
        [
            *_question(table, roles, name),
            *_treatments(table, roles),
            *_given(roles, randomised),
            *_outcome(table, roles),
            *_rest(roles, name),
            *_names(table, roles),
        ]
    )


def option_name(roles: Roles, arm: str) -> str:
    """Name of an option: letters, digits and underscores."""
    plain = plain_name(arm) or f"option_{roles.arms.index(arm) + 1}"
    plain = plain if plain[0].isalpha() else f"{plain_name(roles.treatment)}_{plain}"
    same = [other for other in roles.arms if plain_name(other) == plain_name(arm)]
    return plain if len(same) == 1 else f"{plain}_{same.index(arm) + 1}"


def label(column: Column) -> str:
    """Words for a column of numbers, its unit after a comma: `sbp_mmHg` is `sbp, mmHg`."""
    if column.kind == "date":
        event = _words(_OF_A_DATE.sub("", column.name)) or column.name
        return "death" if event == "died" else event
    inside = re.search(r"\s*[\[(]([^\])]+)[\])]\s*$", column.name)
    if inside:
        return f"{_words(column.name[: inside.start()])}, {inside[1]}"
    *words, last = re.split(r"[_ ]+", column.name)
    if column.unit and words and unit_in_name(f"_{last}") != column.unit:  # `hb_g_dl`
        last = f"{words.pop()}/{last}"
    stem = re.sub(r"( in|,)$", "", " ".join(words))
    return f"{stem}, {last}" if column.unit and stem else _words(column.name)


def project_title(table: Table, roles: Roles) -> str:
    """One line for readers."""
    return f"{_words(roles.treatment)} and {_outcome_name(table, roles)}"


def _outcome_name(table: Table, roles: Roles) -> str:
    return label(table.column(roles.outcome, "--outcome")).partition(", ")[0]


def _words(name: str) -> str:
    return name.replace("_", " ")


def _question(table: Table, roles: Roles, name: str) -> Iterator[str]:
    yield "# The question, as the protocol of a trial. docs/study-file.md explains every key."
    yield "# Lines marked CHECK are guesses: correct or confirm them, then delete the mark."
    yield "format = 1"
    yield f"name = {quoted(name)}"
    yield f"title = {quoted(project_title(table, roles))}"
    best = f"Which {_words(roles.treatment)} is best, judged by {_outcome_name(table, roles)}"
    purpose = f"{best}, for the patients of this table."  # pages add the goal, as it stands below
    yield f"purpose = {quoted(purpose)}  # CHECK: shown with every recommendation"
    yield 'limits = "Patients unlike those of this table."  # CHECK: who it is not for'
    yield ""
    yield "# Time zero, once a patient."
    yield "[decision]"
    yield f'codes = ["{ENTRY}"]'
    yield 'which = "first"'
    yield '# eligible = ["CODE"]      # only patients with this fact'
    yield '# ranges = [{ codes = ["BASELINE//age"], at_least = 18.0 }]'


def _treatments(table: Table, roles: Roles) -> Iterator[str]:
    yield ""
    yield f"# The options.{check(roles, 'treatment', '--treatment')}"
    for arm in roles.arms:
        spellings = table.spellings(roles.treatment, arm)
        if len(spellings) > 1:
            yield f"# CHECK: {' and '.join(map(quoted, spellings))} are read as one option."
        yield "[[treatments]]"
        yield f"name = {quoted(option_name(roles, arm))}"
        title = arm if not re.fullmatch(r"[\d.]+", arm) else f"{_words(roles.treatment)} {arm}"
        yield f"title = {quoted(title)}"
        codes = (quoted(arm_code(roles, spelling)) for spelling in spellings)
        yield f"codes = [{', '.join(codes)}]"
        yield from _dose(table, roles, arm)


def _dose(table: Table, roles: Roles, arm: str) -> Iterator[str]:
    """The range of the doses given; an option whose doses are all empty or 0 has none."""
    if roles.dose is None:
        return
    given = [d for d in table.numbers_where(roles.dose, roles.treatment, arm) if d > 0]
    if not given:
        return
    unit = table.column(roles.dose, "--dose").unit or ""
    low, high = min(given), max(given)
    yield "# CHECK: the doses in the table; add step = the smallest that can be dispensed."
    yield f"dose = {{ at_least = {low!r}, at_most = {high!r}, unit = {quoted(unit)} }}"


def _given(roles: Roles, randomised: bool | None) -> Iterator[str]:
    yield ""
    yield "[given]"
    mark = "" if randomised is not None else "  # CHECK: true if a trial drew the treatment by lot"
    yield f"randomised = {'true' if randomised else 'false'}{mark}"
    if roles.dose is not None:
        yield 'dose_per = "day"  # CHECK: or "week"'
    control = next((a for a in roles.arms if CONTROL.search(plain_name(a) or a)), None)
    yield ""
    if control is None:
        yield "# Without a control, options are compared with treatment as observed."
        yield "# [reference]"
        yield f"# option = {quoted(option_name(roles, roles.arms[0]))}"
    else:
        yield "[reference]"
        yield f"option = {quoted(option_name(roles, control))}  # CHECK: the control, by its name"


def _outcome(table: Table, roles: Roles) -> Iterator[str]:
    code = outcome_code(roles)
    mark = check(roles, "goal", "--goal")
    yield from ("", "# When a treatment counts as effective.", "[outcome]")
    if roles.kind == "number":
        bound = "at_most" if roles.goal.startswith("<") else "at_least"
        yield 'kind = "value_in_range"'
        yield f"codes = [{quoted(code)}]"
        yield f"unit = {quoted(table.column(roles.outcome, '--outcome').unit or '')}"
        yield f"range = {{ {bound} = {float(roles.goal[2:])!r} }}{mark}"
    elif roles.kind == "date":
        yield f"kind = {quoted(roles.goal)}{mark}"
        yield f"codes = [{quoted(code)}]"
    elif roles.kind == "category":
        yield 'kind = "occurs"'
        yield f"codes = [{quoted(f'{code}//{roles.goal}')}]{mark}"
    else:
        bad = [value for value in table.values(roles.outcome) if value != roles.goal]
        yield 'kind = "time_to_event"  # free of the event until the end of the window'
        yield f"codes = [{', '.join(quoted(f'{code}//{value}') for value in bad)}]{mark}"
    days = check(roles, "days", "--days")
    yield f"within_days = {roles.days:.1f}{days}"
    if roles.kind == "date" and roles.measured is None:
        yield from ("", "[follow_up]")
        last = table.last_day()
        yield f"until = {last}  # CHECK: the day to which all were followed; the last in the table"


def _rest(roles: Roles, name: str) -> Iterator[str]:
    families = dict.fromkeys(covariate_code(c).split("//")[0] for c in roles.covariates)
    yield from ("", "[reward]", 'source = "none: only the outcome counts"')
    yield from ("", "# Facts at entry that a model may use.", "[profile]")
    yield f"families = [{', '.join(quoted(family) for family in families)}]"
    ages = [c for c in roles.covariates if c.kind == "number" and AGE.search(plain_name(c.name))]
    if ages:
        yield f"age = [{', '.join(quoted(covariate_code(c)) for c in ages)}]  # in years"
    yield "# required_for_advice = [...]   # facts without which there is no answer for a patient"
    yield from ("", "[split]", "train = 0.6", "validation = 0.2", "test = 0.2")
    yield f"salt = {quoted(name)}"
    yield from ("", "# Harms, each reported by option:", "# [[diagnosis]]", '# name = "bleeding"')
    yield from ('# codes = ["CONDITION//..."]', "# within_days = 365")
    yield from ("", "# Contraindications:", "# [[safety]]", "# options = [...]")
    yield from ('# visible = ["CONDITION//..."]', '# source = "the label"')


def _names(table: Table, roles: Roles) -> Iterator[str]:
    yield from ("", "# What readers see instead of codes.", "[names]", f'"{ENTRY}" = "entry"')
    outcome = label(table.column(roles.outcome, ""))
    yield f"{quoted(outcome_code(roles))} = {quoted(outcome)}"
    for value in () if roles.kind == "number" else table.values(roles.outcome):
        if value.lower() in YES and "status" not in plain_name(roles.outcome):
            yield f"{quoted(f'{outcome_code(roles)}//{value}')} = {quoted(outcome)}"
    for column in roles.covariates:
        if column.kind == "number":
            yield f"{quoted(covariate_code(column))} = {quoted(label(column))}"
        elif column.kind == "sex":
            for value in table.values(column.name):
                meant = [word for word in ("female", "male") if word in words_of_sex(value)]
                yield from (f"{quoted(f'SEX//{value}')} = {quoted(word)}" for word in meant)
        elif column.kind in ("category", "code"):
            yield f"{quoted(covariate_code(column))} = {quoted(_words(column.name))}"
    yield ""
