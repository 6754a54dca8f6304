"""The stream every source becomes: MEDS events, and beside them what was refused, row by row."""

from dataclasses import dataclass

import pyarrow as pa

EVENTS = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("time", pa.timestamp("us")),
        ("code", pa.string()),
        ("numeric_value", pa.float32()),
        ("text_value", pa.large_string()),
        ("unit", pa.string()),
    ]
)
"""MEDS 0.4 data (subject_id to text_value) and one modifier of the code, the number's UCUM unit."""

RAW = EVENTS.append(pa.field("source", pa.string())).append(pa.field("row", pa.int64()))
"""Events before cleaning: `source` is the file or table as the user named it, `row` from 1."""

REFUSED = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.int64()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("reason", pa.string()),
    ]
)
"""What could not become an event: where it stood, what it said, and why it was refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some rows of a source. Every row gives at least one event or exactly one refusal.

    A part of a row (a component, an answer) that is refused while the rest of it gives events is a
    row of its own, of the source `file#part`.
    """

    events: pa.Table
    """In the schema RAW."""
    refused: pa.Table
    """In the schema REFUSED."""
    rows: int
    """How many rows of the source were read for this batch."""
