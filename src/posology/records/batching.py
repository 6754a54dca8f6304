"""Collect the events of a source row by row into batches, without losing a row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from posology.errors import PosologyError
from posology.records.io.patterns import without_value
from posology.records.io.text_lines import other_files
from posology.records.schema import RAW, REJECTED, Batch, Event, Rejection

MAX_BATCH_TEXT = 64_000_000
"""Characters of text after which a batch ends early, so that memory stays bounded (our choice)."""
MAX_VALUE_LENGTH = 500
"""Characters of a rejected value that are stored (our choice)."""


@dataclass(slots=True, eq=False)
class BatchBuilder:
    """Collects rows and returns them in batches of a fixed size."""

    size: int
    """Rows in a batch."""
    events: list[tuple[object, ...]] = field(default_factory=list)
    rejected: list[tuple[str, int, str, str, str]] = field(default_factory=list)
    rows: int = 0
    characters: int = 0

    def add(
        self,
        source: str,
        row: int,
        subject: int | None,
        events: Sequence[Event],
        rejections: Sequence[Rejection] = (),
    ) -> None:
        """Add a row.

        If the row gives events, each rejection counts as a row of its own, of the source
        `source#field`. If it gives none, the row is rejected once, for its first reason.
        """
        if subject is not None and events:
            self.rows += 1
            source = valid_utf8(source)
            for code, time, number, text, unit in events:
                self.events.append((subject, time, code, number, text, unit, source, row))
                self.characters += len(text) if text else 0
            for rejection in rejections:
                self.reject(f"{source}#{rejection.field[:80]}", row, rejection)
        elif rejections:
            self.reject(source, row, rejections[0])
        else:
            self.reject(source, row, Rejection("row", "", "nothing in it becomes an event"))

    def reject(self, source: str, row: int, rejection: Rejection) -> None:
        """Add a row that gives no event."""
        self.rows += 1
        value = truncate_value(rejection.value)
        self.characters += len(value)
        reason = without_value(rejection.reason, value)
        texts = (source, rejection.field[:200], reason)
        source, field, reason = map(valid_utf8, texts)
        self.rejected.append((source, row, field, value, reason))

    def batches(self, last: bool = False) -> Iterator[Batch]:
        """A batch if one is full; with `last`, the rows that remain."""
        full = self.rows >= self.size or self.characters >= MAX_BATCH_TEXT
        if full or (last and self.rows):
            yield Batch(_table(self.events, RAW), _table(self.rejected, REJECTED), self.rows)
            self.events, self.rejected, self.rows, self.characters = [], [], 0, 0


def reject_other_files(
    builder: BatchBuilder, paths: Sequence[str | Path], extensions: tuple[str, ...]
) -> None:
    """One rejected row for each file of the folders that is not read, because of its name."""
    for path in other_files(paths, extensions):
        reason = f"the file's name does not end in {', '.join(extensions)}"
        builder.reject(str(path), 1, Rejection("fileName", path.name, reason))


def combine_batches(batches: Iterable[Batch]) -> Batch:
    """All batches as one, for a source that fits in memory; raises an error if a row was lost."""
    parts = list(batches)
    events = pa.concat_tables([RAW.empty_table(), *(part.events for part in parts)])
    rejected = pa.concat_tables([REJECTED.empty_table(), *(part.rejected for part in parts)])
    combined = Batch(events, rejected, sum(part.rows for part in parts))
    accepted_rows = set(_row_keys(combined.events))
    rejected_rows = _row_keys(combined.rejected)
    if (
        accepted_rows & set(rejected_rows)
        or len(accepted_rows) + len(rejected_rows) != combined.rows
    ):
        raise PosologyError(
            f"{combined.rows} rows were read, {len(accepted_rows)} gave events and "
            f"{len(rejected_rows)} were rejected"
        )
    return combined


def _row_keys(table: pa.Table) -> list[tuple[str, int]]:
    return list(zip(table["source"].to_pylist(), table["row"].to_pylist(), strict=True))


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def truncate_value(value: object) -> str:
    """A rejected value as text: of bounded length and valid UTF-8."""
    try:
        text = value if isinstance(value, str) else "" if value is None else str(value)
    except RecursionError:
        text = "(nested too deeply to show)"
    shown = valid_utf8(text[:MAX_VALUE_LENGTH])
    return shown if len(text) <= MAX_VALUE_LENGTH else f"{shown}... ({len(text)} characters)"


def valid_utf8(text: str) -> str:
    """The text, with a question mark for each character that UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def append_outcome(
    outcome: Event | Rejection, events: list[Event], rejections: list[Rejection]
) -> None:
    """Append an event to `events`, or a rejection to `rejections`."""
    if isinstance(outcome, Event):
        events.append(outcome)
    else:
        rejections.append(outcome)


def code_part(text: str, max_length: int = 120) -> str:
    """A text as one part of a code: without `//` or white space, of bounded length."""
    return "_".join(text.split()).replace("//", "/")[:max_length].strip("/")
