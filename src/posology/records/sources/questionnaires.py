"""Questionnaires to events, through a code book that says what each question and answer means."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import Fact, Refusal, Rows, clean_part, finite
from posology.records.io.python_tables import (
    ENDINGS,
    Row,
    blank,
    cell_subject,
    cell_time,
    read_sheet,
)
from posology.records.io.settings import load_settings
from posology.records.io.text_lines import files_of
from posology.records.io.times import zone_named
from posology.records.schema import Batch

LIFESTYLE = Path(__file__).parents[1] / "codebooks" / "lifestyle.toml"
"""The code book that ships: smoking, alcohol, diet, exercise, sleep."""

_BOUND = re.compile(r"[<>]=?\s*\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Question:
    """What one question means."""

    code: str
    """Code of its events, such as LIFESTYLE//smoking_status."""
    asked_as: tuple[str, ...]
    """linkId, LOINC code, text or column name by which forms ask it; case does not matter."""
    source: str
    """Where the code and the answers come from."""
    answers: dict[str, str | float] = field(default_factory=dict)
    """What each answer becomes: the code's last part, or a number. Where all become numbers, or
    none is told, a number is an answer too."""
    unit: str | None = None
    """UCUM unit of its numbers, where the form tells none."""


@dataclass(frozen=True, slots=True)
class BookFile:
    """A code book as its TOML file states it."""

    name: str
    version: str
    question: tuple[Question, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CodeBook:
    """Questions by every name under which they are asked."""

    questions: dict[str, Question]

    def find(self, asked: Iterable[str]) -> Question | None:
        """The question known under the first name that is known at all."""
        return next((self.questions[n] for n in map(_plain, asked) if n in self.questions), None)


@dataclass(frozen=True, slots=True)
class TableForm:
    """How a table holds the answers: one row a form, or one row an answer."""

    subject: str
    time: str
    """Column of when the form was filled in."""
    question: str | None = None
    """Column of the question, where each answer has a row; otherwise columns are questions."""
    answer: str | None = None
    ignore: tuple[str, ...] = ()
    """Columns that are not questions."""
    only: tuple[str, ...] = ()
    """Columns that are questions; all but `ignore` where none is told."""
    subject_pattern: str | None = None
    """Regular expression whose first group is the subject in its cell, such as ([^_]+)_."""
    time_pattern: str | None = None
    """The same for the time."""
    time_format: str | None = None
    """As strptime writes it, such as %d/%m/%Y; ISO 8601 where it is not told."""
    time_zone: str = "UTC"
    batch_rows: int = 50_000

    def __post_init__(self) -> None:
        if (self.question is None) != (self.answer is None):
            raise RecordError("a table of one row an answer needs both `question` and `answer`")
        for pattern in (self.subject_pattern, self.time_pattern):
            try:
                groups = re.compile(pattern).groups if pattern is not None else 1
            except re.error as error:
                raise RecordError(f"{pattern!r} is not a regular expression: {error}") from error
            if groups < 1:
                raise RecordError(f"the pattern {pattern!r} needs a group in parentheses")


def read_code_book(path: str | Path = LIFESTYLE) -> CodeBook:
    """A code book from its TOML file."""
    stated = load_settings(path, BookFile)
    questions: dict[str, Question] = {}
    for question in stated.question:
        answers = {_plain(said): means for said, means in question.answers.items()}
        known = Question(question.code, question.asked_as, question.source, answers, question.unit)
        for name in question.asked_as:
            other = questions.setdefault(_plain(name), known)
            if other is not known:
                raise RecordError(
                    f"{path}: {name!r} asks for both {other.code} and {known.code}; keep one"
                )
    return CodeBook(questions)


def read_questionnaires(
    paths: Iterable[str | Path], form: TableForm, book: CodeBook
) -> Iterator[Batch]:
    """Answers in tables to events; FHIR forms come through `fhir.read_fhir`.

    A question or answer that the book does not know is refused by its name.
    """
    zone = zone_named(form.time_zone)
    rows = Rows(form.batch_rows)
    needed = tuple(
        n for n in (form.subject, form.time, form.question, form.answer, *form.only) if n
    )
    for path in files_of(paths, ENDINGS):
        for number, row in read_sheet(path, needed):
            if isinstance(row, Refusal):
                rows.refuse(str(path), number, row)
                continue
            facts: list[Fact] = []
            refusals: list[Refusal] = []
            column, subject = form.subject, None
            try:
                subject = cell_subject(_within(row[form.subject], form.subject_pattern))
                column = form.time
                at = cell_time(_within(row[form.time], form.time_pattern), zone, form.time_format)
            except ValueError as error:
                refusals.append(Refusal(column, row[column], str(error)))
            else:
                _answers(row, form, book, at, (facts, refusals))
            rows.add(str(path), number, subject, facts, refusals)
            yield from rows.batches()
    yield from rows.batches(last=True)


def _within(cell: Any, pattern: str | None) -> Any:
    """The part of a cell that the pattern tells."""
    if pattern is None:
        return cell
    found = re.search(pattern, str(cell))
    if found is None:
        raise ValueError(f"does not match {pattern}")
    return found[1]


def _answers(
    row: Row, form: TableForm, book: CodeBook, at: int, out: tuple[list[Fact], list[Refusal]]
) -> None:
    if form.question is not None and form.answer is not None:
        asked = [(str(row[form.question]), row[form.answer])]
    else:
        aside = {form.subject, form.time, *form.ignore}
        asked = [
            (name, cell)
            for name, cell in row.items()
            if name not in aside and not blank(cell) and (not form.only or name in form.only)
        ]
    if not asked:
        out[1].append(Refusal("row", "", "no question is answered"))
    for name, cell in asked:
        _keep(answer_fact(book, (name,), (cell,), at, name), out)


def response_facts(
    response: dict[str, Any], at: int, book: CodeBook, facts: list[Fact], refusals: list[Refusal]
) -> None:
    """The answers of a FHIR QuestionnaireResponse, groups and nested questions included."""
    waiting = list(response.get("item") or ())
    while waiting:
        item = waiting.pop()
        waiting += item.get("item") or ()
        name = str(item.get("linkId") or "")
        asked = [str(item[k]) for k in ("linkId", "definition", "text") if item.get(k)]
        asked += [a.rsplit("/", 1)[-1] for a in asked if "/" in a]  # LOINC's forms: "/72166-2"
        for number, answer in enumerate(item.get("answer") or ()):
            waiting += answer.get("item") or ()
            key = next((k for k in answer if k.startswith("value")), None)
            place = f"item.{name}" if number == 0 else f"item.{name}.{number}"
            if key is None:
                refusals.append(Refusal(place, "", "an answer without a value"))
                continue
            value = answer[key]
            unit = None
            if key == "valueQuantity":
                unit, value = value.get("code") or value.get("unit"), value.get("value")
            said = [value]
            if key == "valueCoding":
                said = [value[k] for k in ("code", "display") if value.get(k)]
            _keep(answer_fact(book, asked, said, at, place, unit), (facts, refusals))
    if not facts and not refusals:
        refusals.append(Refusal("item", "", "no question is answered"))


def answer_fact(
    book: CodeBook,
    asked: Sequence[str],
    said: Sequence[Any],
    at: int,
    place: str,
    unit: str | None = None,
) -> Fact | Refusal:
    """One answer as an event, or why the code book does not let it be one."""
    question = book.find(asked)
    if question is None:
        return Refusal(place, asked[0] if asked else "", "a question the code book does not know")
    for value in said:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        means = question.answers.get(_plain(text))
        if isinstance(means, str):
            return Fact(f"{question.code}//{clean_part(means)}", at)
        if means is not None:
            return Fact(question.code, at, finite(means), None, question.unit)
    named = any(isinstance(means, str) for means in question.answers.values())
    if named or not said:
        return Refusal(place, said[0] if said else "", f"not an answer to {question.code}")
    return _number(question, said[0], at, place, unit or question.unit)


def _number(
    question: Question, value: Any, at: int, place: str, unit: str | None
) -> Fact | Refusal:
    try:
        if not isinstance(value, str):
            return Fact(question.code, at, finite(value), None, unit)
        if _BOUND.fullmatch(value.strip()):
            return Fact(question.code, at, None, value.strip(), unit)  # cleaning reads "<5"
        return Fact(question.code, at, finite(float(value)), None, unit)
    except ValueError:
        return Refusal(place, value, f"{question.code} is answered by a number")


def _keep(outcome: Fact | Refusal, out: tuple[list[Fact], list[Refusal]]) -> None:
    if isinstance(outcome, Fact):
        out[0].append(outcome)
    else:
        out[1].append(outcome)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
