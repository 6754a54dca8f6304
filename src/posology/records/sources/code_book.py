"""The code book of questionnaires: what each question and each answer means."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import code_part
from posology.records.io.settings import load_settings
from posology.records.schema import Event, Rejection, finite_number

LIFESTYLE = Path(__file__).parents[1] / "codebooks" / "lifestyle.toml"
"""The package's code book: smoking, alcohol, diet, exercise, sleep."""

_BOUND = re.compile(r"[<>≤≥]=?\s*\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Question:
    """What one question means."""

    code: str
    """Code of its events, such as LIFESTYLE//smoking_status."""
    asked_as: tuple[str, ...]
    """Its linkId, LOINC code, text or column name in forms; case does not matter."""
    source: str
    """Where the code and the answers come from."""
    answers: dict[str, str | float] = field(default_factory=dict)
    """What each answer becomes: the last part of the code, or a number. If every answer becomes a
    number, or none is listed, a number is an answer too."""
    unit: str | None = None
    """UCUM unit of its numbers, if the form has none."""


@dataclass(frozen=True, slots=True)
class BookFile:
    """The content of a code book's TOML file."""

    name: str
    version: str
    question: tuple[Question, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CodeBook:
    """Questions by every name that forms use for them."""

    questions: dict[str, Question]

    def find(self, names: Iterable[str]) -> Question | None:
        """The question of the first name that the book has."""
        return next((self.questions[n] for n in map(_plain, names) if n in self.questions), None)


def read_code_book(path: str | Path = LIFESTYLE) -> CodeBook:
    """The code book of a TOML file."""
    book = load_settings(path, BookFile)
    questions: dict[str, Question] = {}
    for question in book.question:
        answers = {_plain(answer): meaning for answer, meaning in question.answers.items()}
        known = Question(question.code, question.asked_as, question.source, answers, question.unit)
        for name in question.asked_as:
            other = questions.setdefault(_plain(name), known)
            if other is not known:
                raise RecordError(
                    f"{path}: {name!r} asks for both {other.code} and {known.code}; keep one"
                )
    return CodeBook(questions)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a form."""

    question: Sequence[str]
    """Names of the question, the most specific first."""
    values: Sequence[Any]
    """The answer in each form that is available, such as code and text."""
    time: int
    """Microseconds since 1970."""
    field: str
    """Where the answer is in the source."""
    unit: str | None = None


def answer_event(answer: Answer, book: CodeBook) -> Event | Rejection:
    """One answer as an event, or why the code book does not allow it."""
    names, values = answer.question, answer.values
    question = book.find(names)
    if question is None:
        name = names[0] if names else ""
        return Rejection(answer.field, name, "a question the code book does not know")
    for value in values:
        meaning = question.answers.get(_plain(_answer_text(value)))
        if isinstance(meaning, str):
            return Event(f"{question.code}//{code_part(meaning)}", answer.time)
        if meaning is not None:
            number = finite_number(meaning)
            return Event(question.code, answer.time, number, None, question.unit)
    has_text_answers = any(isinstance(meaning, str) for meaning in question.answers.values())
    if has_text_answers or not values:
        value = values[0] if values else ""
        return Rejection(answer.field, value, f"not an answer to {question.code}")
    return _number_event(question, answer)


def _number_event(question: Question, answer: Answer) -> Event | Rejection:
    value, unit = answer.values[0], answer.unit or question.unit
    try:
        if not isinstance(value, str):
            return Event(question.code, answer.time, finite_number(value), None, unit)
        if _BOUND.fullmatch(value.strip()):  # cleaning reads "<5"
            return Event(question.code, answer.time, None, value.strip(), unit)
        return Event(question.code, answer.time, finite_number(float(value)), None, unit)
    except ValueError:
        return Rejection(answer.field, value, f"{question.code} is answered by a number")


def _answer_text(value: Any) -> str:
    """An answer as a code book writes it: `true`, and 1 for the 1.0 of a spreadsheet."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
