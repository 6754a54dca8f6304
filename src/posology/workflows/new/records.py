"""A project of OMOP, FHIR or MEDS records: its codes stated, or left open and marked."""

import re
import shlex
from collections.abc import Iterator

from posology.cohorts.study.reader import parse_study, shipped_study_path
from posology.errors import UserError
from posology.records.sources.tables.suggest import quoted
from posology.workflows.new.circe.definition import decision_lines, read_definition
from posology.workflows.new.files import Steps, shared_files
from posology.workflows.new.request import DAYS, Request

CLINIC = 2_000
"""Patients of the virtual clinic, where no records are named (our choice)."""
ENTRY, TREATMENTS, OUTCOME = (
    "PROCEDURE//SNOMED//394725008",
    ("DRUG//RXNORM//1545653", "DRUG//RXNORM//593411"),
    "CONDITION//SNOMED//84114007",
)
"""Codes in place of those not stated: a review; empagliflozin, sitagliptin; heart failure."""


def records_project(request: Request, name: str) -> dict[str, str]:
    """The files of a project on records; without a path, on those of the virtual clinic."""
    if request.path is None:
        return _on_the_clinic(request)
    for option, value in (("--dose", request.dose), ("--subject", request.subject)):
        if value is not None:
            raise UserError(f"posology new: {option} is for tables; records say it by themselves.")
    if request.days is not None and not re.fullmatch(r"\d+(\.\d+)?", request.days):
        raise UserError(f"--days {request.days!r}: of records, write a number of days.")
    if request.goal is not None:
        check_goal(request.goal)
    if len(request.treatments) == 1:
        raise UserError("posology new: name two or more codes of options, each with --treatment.")
    own = {"study.toml": _study(request, name)}
    parse_study(own["study.toml"], "study.toml")
    place = request.path.absolute().as_posix()
    steps = Steps(
        title=name,
        about=f"The records are those of `{place}`, which stay where they are.",
        source=f"--{request.data} {shlex.quote(place)}".replace("$", "$$"),
        inputs="",
        method="boosting",
    )
    return {**own, **shared_files(steps, own)}


def check_goal(goal: str) -> None:
    """UserError unless it is a bound or a kind of outcome."""
    if not re.fullmatch(r"(<=|>=) ?[-+]?\d+(\.\d+)?|occurs|does_not_occur", goal):
        raise UserError(
            f"--goal {goal!r}: of records write '<=140' or '>=50' for a number, else occurs or "
            "does_not_occur."
        )


def _on_the_clinic(request: Request) -> dict[str, str]:
    own = {"study.toml": shipped_study_path("clinic").read_text(encoding="utf-8")}
    steps = Steps(
        title="Type 2 diabetes: a second drug added to metformin",
        about=f"The records are simulated in the format of {request.data.upper()}; replace "
        "`records` by your own, and the codes of `study.toml` by yours.",
        source=f"--{request.data} records/{request.data}",
        inputs="records",
        method="boosting",
        simulated=f"posology simulate clinic --out records --patients {CLINIC} "
        f"--formats {request.data}",
        records="records",
    )
    return {**own, **shared_files(steps, own)}


def _study(request: Request, name: str) -> str:
    return "\n".join([*_question(request, name), *_treatments(request), *_outcome(request, name)])


def _open(is_stated: bool, what: str) -> str:
    return "" if is_stated else f"  # CHECK: an example; write the code of {what}"


def _question(request: Request, name: str) -> Iterator[str]:
    yield "# The question, as the protocol of a trial. docs/study-file.md explains every key."
    yield "# Lines marked CHECK need you. events/quality.html lists the codes of your records;"
    yield "# the dry run names the nearest one where a code is not there."
    yield "format = 1"
    yield f"name = {quoted(name)}"
    yield f"title = {quoted(name.replace('_', ' '))}  # CHECK: one line for readers"
    yield 'purpose = "Which option is best, for which patients."  # CHECK: shown with every answer'
    yield 'limits = "Patients unlike those of these records."  # CHECK: who it is not for'
    yield ""
    if request.circe is not None:
        yield from decision_lines(read_definition(request.circe, request.path))
        return
    yield "# Time zero: the event at which the treatment is chosen."
    yield "[decision]"
    entry = request.entry or ENTRY
    yield f"codes = [{quoted(entry)}]{_open(request.entry is not None, 'that event')}"
    yield 'which = "first"  # or "every", "interval", "sequential"'
    yield "# new_users_days = 365       # who used an option before is not in the study"
    yield '# eligible = ["CONDITION//..."]'
    yield '# ranges = [{ codes = ["MEASUREMENT//..."], at_least = 53.0 }]'


def _treatments(request: Request) -> Iterator[str]:
    codes = request.treatments or TREATMENTS
    yield ""
    yield "# The options. Name all events of a prescription: one left out tells the treatment."
    for number, code in enumerate(codes, 1):
        yield "[[treatments]]"
        yield f'name = "option_{number}"'
        yield f"title = {quoted(code)}  # CHECK: its name for readers"
        yield f"codes = [{quoted(code)}]{_open(bool(request.treatments), 'an option')}"
    yield ""
    yield "[given]"
    yield "grace_days = 1  # the treatment starts within so many days of time zero"
    randomised = request.randomised
    mark = "" if randomised is not None else "  # CHECK: true if a trial drew it by lot"
    yield f"randomised = {'true' if randomised else 'false'}{mark}"


def _outcome(request: Request, name: str) -> Iterator[str]:
    code = request.outcome or OUTCOME
    days = float(request.days) if request.days else DAYS
    goal = (request.goal or "").replace(" ", "")
    yield from ("", "[outcome]")
    if goal[:2] in ("<=", ">="):
        bound = "at_most" if goal.startswith("<") else "at_least"
        yield 'kind = "value_in_range"'
        yield 'unit = ""  # CHECK: the unit of the number in the records'
        yield f"range = {{ {bound} = {float(goal[2:])!r} }}"
    else:
        mark = "" if request.goal else '  # CHECK: or "occurs"; --goal states it'
        yield f"kind = {quoted(request.goal or 'does_not_occur')}{mark}"
    yield f"codes = [{quoted(code)}]{_open(request.outcome is not None, 'the outcome')}"
    mark = "" if request.days else "  # CHECK: the window; --days states it"
    yield f"within_days = {days:.1f}{mark}"
    yield ""
    yield "[follow_up]"
    yield "# until = 2025-12-31          # CHECK: the last day of the records"
    yield 'ended_by = ["MEDS_DEATH"]'
    yield from ("", "[reward]", 'source = "none: only the outcome counts"', "")
    yield "# Which events may be features."
    yield "[profile]"
    yield 'families = ["SEX", "MEDS_BIRTH", "CONDITION", "MEASUREMENT", "OBSERVATION", "DRUG"]'
    yield "minimum_patients = 20"
    yield from ("", "[split]", "train = 0.6", "validation = 0.2", "test = 0.2")
    yield f"salt = {quoted(name)}"
    yield ""
