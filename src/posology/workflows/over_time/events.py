"""Events of several folders as one table: new patients, and old ones that are replayed."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from posology.cohorts.events.chunks import event_files, read_event_table
from posology.errors import UserError

_KEYS = ("subject_id", "time", "code", "numeric_value", "text_value")


def read_events(places: Sequence[Path]) -> pa.Table:
    """All events, ordered by subject; one that stands in several places counts once."""
    tables = []
    for place in places:
        if not place.exists():
            raise UserError(f"--events {place}: no such file or folder.")
        tables.append(read_event_table(event_files(place)))
    if len(tables) == 1:
        return tables[0]
    joined = pa.concat_tables(tables, promote_options="default")
    names = [name for name in joined.column_names if name in (*_KEYS, "unit")]
    distinct = joined.select(names).group_by(names, use_threads=False).aggregate([])
    return distinct.sort_by([("subject_id", "ascending"), ("time", "ascending")])
