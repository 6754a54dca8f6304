"""What a source gives, fact by fact, gathered into batches that lose no row."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from posology.errors import PosologyError
from posology.records.schema import RAW, REFUSED, Batch

TEXT_LIMIT = 64_000_000
"""Characters of text after which a batch ends early, so that memory stays bounded (our choice)."""
SHOWN = 500
"""Characters of a refused value that are kept; the source keeps the rest (our choice)."""
_FLOAT32_LARGEST = 3.4028234663852886e38


class Fact(NamedTuple):
    """One event of a row, its subject aside."""

    code: str
    time: int | None
    """Microseconds since 1970; None for a static fact."""
    number: float | None = None
    text: str | None = None
    unit: str | None = None


class Refusal(NamedTuple):
    """A row, or a part of it, that cannot become an event."""

    field: str
    value: object
    reason: str


@dataclass(slots=True, eq=False)
class Rows:
    """Gathers rows; `batches` hands them on once there are enough of them."""

    size: int
    """Rows of a batch."""
    events: list[tuple[object, ...]] = field(default_factory=list)
    refused: list[tuple[str, int, str, str, str]] = field(default_factory=list)
    rows: int = 0
    characters: int = 0

    def add(
        self,
        source: str,
        row: int,
        subject: int | None,
        facts: Sequence[Fact],
        refusals: Sequence[Refusal] = (),
    ) -> None:
        """Adds a row.

        A row that gives events may have parts that do not: each of those is a row of its own,
        refused under the name `source#field`. A row that gives none is refused once, by its first
        reason.
        """
        if subject is not None and facts:
            self.rows += 1
            source = writable(source)
            for code, time, number, text, unit in facts:
                self.events.append((subject, time, code, number, text, unit, source, row))
                self.characters += len(text) if text else 0
            for refusal in refusals:
                self._refuse(f"{source}#{refusal.field[:80]}", row, refusal)
        elif refusals:
            self._refuse(source, row, refusals[0])
        else:
            self._refuse(source, row, Refusal("row", "", "nothing in it becomes an event"))

    def refuse(self, source: str, row: int, refusal: Refusal) -> None:
        """Adds a row of which nothing becomes an event."""
        self._refuse(source, row, refusal)

    def _refuse(self, source: str, row: int, refusal: Refusal) -> None:
        self.rows += 1
        shown = shorten(refusal.value)
        self.characters += len(shown)
        place, field, reason = map(writable, (source, refusal.field[:200], refusal.reason))
        self.refused.append((place, row, field, shown, reason))

    def batches(self, last: bool = False) -> Iterator[Batch]:
        """A batch if one is full, or whatever is left if this is the last call."""
        full = self.rows >= self.size or self.characters >= TEXT_LIMIT
        if full or (last and self.rows):
            yield Batch(_table(self.events, RAW), _table(self.refused, REFUSED), self.rows)
            self.events, self.refused, self.rows, self.characters = [], [], 0, 0


def gather(batches: Iterable[Batch]) -> Batch:
    """All batches as one, for sources that fit in memory; an error if a row was lost on the way."""
    parts = list(batches)
    events = pa.concat_tables([RAW.empty_table(), *(part.events for part in parts)])
    refused = pa.concat_tables([REFUSED.empty_table(), *(part.refused for part in parts)])
    whole = Batch(events, refused, sum(part.rows for part in parts))
    keys = ["source", "row"]
    kept = set(zip(*(whole.events[key].to_pylist() for key in keys), strict=True))
    gone = list(zip(*(whole.refused[key].to_pylist() for key in keys), strict=True))
    if kept & set(gone) or len(kept) + len(gone) != whole.rows:
        raise PosologyError(
            f"{whole.rows} rows were read, {len(kept)} gave events and {len(gone)} were refused"
        )
    return whole


def _table(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def shorten(value: object) -> str:
    """A value as a refusal shows it: bounded, and valid as UTF-8."""
    try:
        text = value if isinstance(value, str) else "" if value is None else str(value)
    except RecursionError:
        text = "(nested too deeply to show)"
    shown = writable(text[:SHOWN])
    return shown if len(text) <= SHOWN else f"{shown}... ({len(text)} characters)"


def writable(text: str) -> str:
    """The text, or where it is not valid as UTF-8, with a question mark for what is not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def finite(number: object) -> float:
    """The number, if it is one that an event can hold; ValueError otherwise."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError("not a number")
    try:
        value = float(number)
    except OverflowError as error:
        raise ValueError("too large for an event's number") from error
    if not math.isfinite(value) or abs(value) > _FLOAT32_LARGEST:
        raise ValueError("not a finite number that fits in 32 bits")
    return value


def clean_part(text: str, longest: int = 120) -> str:
    """A text as one part of a code: no `//`, no white space, at most so many characters."""
    return "_".join(text.split()).replace("//", "/")[:longest].strip("/")
