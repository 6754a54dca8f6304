"""Questionnaires in tables as events, by a code book that defines the questions and answers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, append_outcome, reject_other_files
from posology.records.io.python_tables import (
    TABLE_EXTENSIONS,
    Row,
    cell_text,
    is_blank,
    parse_cell_time,
    parse_subject,
    read_rows,
)
from posology.records.io.regex import compile_first_group
from posology.records.io.settings import load_settings
from posology.records.io.text_lines import list_files
from posology.records.io.times import parse_time_zone
from posology.records.pipeline.staging import Source, batch_source, only_mapping, split_mapping
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.code_book import Answer, CodeBook, answer_event, read_code_book
from posology.records.sources.fhir.reader import read_fhir


@dataclass(frozen=True, slots=True)
class QuestionnaireTable:
    """How a table holds the answers: one row per form, or one row per answer."""

    subject: str
    time: str
    """Column of the time when the form was completed."""
    question: str | None = None
    """Column of the question, if each answer has a row; otherwise each column is a question."""
    answer: str | None = None
    """Column of the answer, if each answer has a row."""
    ignore: tuple[str, ...] = ()
    """Columns that are not questions."""
    only: tuple[str, ...] = ()
    """Columns that are questions; by default all except `ignore`."""
    subject_pattern: str | None = None
    """Regular expression whose first group is the subject in its cell, such as ([^_]+)_."""
    time_pattern: str | None = None
    """The same for the time."""
    time_format: str | None = None
    """Format for strptime, such as %d/%m/%Y; by default ISO 8601."""
    time_zone: str = "UTC"
    batch_rows: int = 50_000

    def __post_init__(self) -> None:
        if (self.question is None) != (self.answer is None):
            raise RecordError("a table of one row per answer needs both `question` and `answer`")
        for pattern in (self.subject_pattern, self.time_pattern):
            if pattern is not None:
                compile_first_group(pattern)


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: tables, with a mapping file among the inputs; FHIR forms, without one."""
    mappings, forms = split_mapping(inputs)

    def read() -> Iterator[Batch]:
        if not mappings:
            return read_fhir(forms)
        table = load_settings(only_mapping("questionnaire", mappings), QuestionnaireTable)
        return read_questionnaires(forms, table, read_code_book())

    return [batch_source("questionnaire", inputs, read)]


def read_questionnaires(
    paths: Iterable[str | Path], table: QuestionnaireTable, book: CodeBook
) -> Iterator[Batch]:
    """The answers in tables as events; `fhir.reader.read_fhir` reads FHIR forms.

    A question or answer that the book does not have is rejected by its name.
    """
    zone = parse_time_zone(table.time_zone)
    builder = BatchBuilder(table.batch_rows)
    names = (table.subject, table.time, table.question, table.answer, *table.only)
    required = tuple(name for name in names if name)
    paths = [*paths]
    reject_other_files(builder, paths, TABLE_EXTENSIONS)
    for path in list_files(paths, TABLE_EXTENSIONS):
        for number, row in read_rows(path, required):
            if isinstance(row, Rejection):
                builder.reject(str(path), number, row)
                continue
            events: list[Event] = []
            rejections: list[Rejection] = []
            column, subject = table.subject, None
            try:
                subject = parse_subject(_extract(row[table.subject], table.subject_pattern))
                column = table.time
                cell = _extract(row[table.time], table.time_pattern)
                time = parse_cell_time(cell, zone, table.time_format)
            except ValueError as error:
                rejections.append(Rejection(column, row[column], str(error)))
            else:
                for name, cell in _answers(row, table):
                    answer = Answer((name,), (cell,), time, table.question or name)
                    append_outcome(answer_event(answer, book), events, rejections)
                if not events and not rejections:
                    rejections.append(Rejection("row", "", "no question is answered"))
            builder.add(str(path), number, subject, events, rejections)
            yield from builder.batches()
    yield from builder.batches(last=True)


_compiled = lru_cache(maxsize=16)(compile_first_group)


def _extract(cell: Any, pattern: str | None) -> Any:
    """The first group of the pattern in a cell; the whole cell without a pattern."""
    if pattern is None:
        return cell
    found = _compiled(pattern)(cell_text(cell))
    if found is None:
        raise ValueError(f"does not match {pattern}")
    return found


def _answers(row: Row, table: QuestionnaireTable) -> list[tuple[str, Any]]:
    """The question and the cell of each answer in a row."""
    if table.question is not None and table.answer is not None:
        return [(cell_text(row[table.question]), row[table.answer])]
    others = {table.subject, table.time, *table.ignore}
    return [
        (name, cell)
        for name, cell in row.items()
        if name not in others and not is_blank(cell) and (not table.only or name in table.only)
    ]
