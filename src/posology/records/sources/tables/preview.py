"""What a mapping file would read: some events of each of its blocks, and what is rejected."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from posology.errors import RecordError
from posology.records.io.patterns import value_pattern
from posology.records.pipeline.losses import describe_strays
from posology.records.sources.tables.column_kinds import DECIMAL_COMMA
from posology.records.sources.tables.number_marks import decimal_mark, plain_number
from posology.records.sources.tables.reader import TableInput, mapped_tables, stage_table

ROWS = 1_000
"""Rows of each table that are read (our choice)."""
SHOWN = 5
"""Events that are shown of each block (issue 14)."""


def preview_mapping(path: Path) -> Iterator[str]:
    """Lines for a person: of each block its first events, rejected rows, or its error.

    Raises RecordError at the end if a block cannot be read.
    """
    problems = []
    for table in mapped_tables(path):
        try:
            yield from _preview(table)
        except RecordError as error:
            problems.append(str(error))
            yield f"{table.name}: cannot be read"
    if problems:
        more = f" ({len(problems) - 1} more blocks cannot be read.)" if len(problems) > 1 else ""
        raise RecordError(problems[0] + more)


def _preview(table: TableInput) -> Iterator[str]:
    if not table.files:
        yield f"{table.name}: a table of a database, not read"
        return
    with tempfile.TemporaryDirectory() as scratch:
        staged = stage_table(table, Path(scratch), ROWS)
        events = pq.read_table(staged.events[0])
        rejected = pq.read_table(staged.rejected[0]).to_pylist()
    yield f"{table.name}: {events.num_rows:,} events of the first {staged.rows:,} rows"
    for event in events.slice(0, SHOWN).to_pylist():
        number = "" if event["numeric_value"] is None else f" = {event['numeric_value']:g}"
        unit = "" if event["unit"] is None else f" {event['unit']}"
        text = "" if event["text_value"] is None else f" {event['text_value'][:40]!r}"
        time = "static" if event["time"] is None else str(event["time"])
        yield f"  row {event['row']}: {time} {event['code']}{number}{unit}{text}"
    reasons = Counter((row["field"], row["reason"]) for row in rejected)
    for (field, reason), count in reasons.most_common(3):
        example = next(row for row in rejected if (row["field"], row["reason"]) == (field, reason))
        shown = value_pattern(example["value"] or "")
        yield f"  rejected: {count:,} rows, {field} {reason}" + (f" ({shown})" if shown else "")
    if not events.num_rows:
        yield "  CHECK: no row gives an event"
    yield from _suspicions(table, events)
    for found in staged.strays:
        yield f"  CHECK: {describe_strays(table.name, found)}"


def _has_decimal_comma(text: str | None) -> bool:
    return text is not None and DECIMAL_COMMA.fullmatch(text.strip()) is not None


def _suspicions(table: TableInput, events: pa.Table) -> Iterator[str]:
    """What looks like a wrong column."""
    entry, rows = table.entry, events.num_rows
    if not rows:
        return
    texts = rows - events["text_value"].null_count
    commas = [text for text in events["text_value"].to_pylist() if _has_decimal_comma(text)]
    shown, unclear = decimal_mark(commas)
    if unclear and len(commas) > rows / 20:
        yield (
            f"  CHECK: {unclear} of {entry.value!r} is read as {plain_number(unclear, '.')}; with "
            f'`decimal = ","` as {plain_number(unclear, ",")}'
        )
    elif shown and len(commas) > rows / 20:
        yield f'  CHECK: cells of {entry.value!r} have a comma and stay texts: decimal = ","?'
    elif entry.value and entry.unit and texts > rows / 2:
        yield f"  CHECK: most cells of {entry.value!r} are no numbers, but the events have a unit"
    codes = len(events["code"].unique())
    if "{" in entry.code and rows >= 50 and codes > rows / 2:
        yield f"  CHECK: {codes:,} different codes in {rows:,} events: {entry.code} names a text"
    if entry.time is not None and rows >= 50 and len(events["subject_id"].unique()) == 1:
        yield f"  CHECK: all rows are of one patient: {entry.subject!r} may be a wrong column"
