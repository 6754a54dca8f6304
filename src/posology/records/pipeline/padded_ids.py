"""Patients whose number is written with leading zeros in one source and without in another."""

import duckdb

from posology.records.io.subject_ids import to_subject_id

_LOOKED_AT = 1_000
"""Patients with a number that are looked at (our choice): a source writes all in one way."""
_WIDEST = 12
"""Digits to which numbers are filled up with zeros (our choice)."""


def find_padded_ids(duck: duckdb.DuckDBPyConnection) -> list[str]:
    """A sentence if patients of the view `events` are there twice: as 17, and as 017 or so.

    A number without leading zeros is its own id, any other text the hash of it: spreadsheets drop
    the zeros, and one patient becomes two.
    """
    rows = duck.execute(
        f"SELECT DISTINCT subject_id FROM events WHERE subject_id BETWEEN 0 AND {10**_WIDEST} "
        f"LIMIT {_LOOKED_AT}"
    ).fetchall()
    numbers = [str(row[0]) for row in rows]
    padded = {
        to_subject_id(number.zfill(width))
        for number in numbers
        for width in range(len(number) + 1, _WIDEST + 1)
    }
    ((twice,),) = duck.execute(
        "SELECT count(DISTINCT subject_id) FROM events "
        "WHERE subject_id IN (SELECT unnest(?::BIGINT[]))",
        [sorted(padded)],
    ).fetchall()
    if not twice:
        return []
    return [
        f"of {len(numbers):,} patients with a number that were looked at, {twice:,} are there a "
        "second time, with leading zeros (17 and 017 are two patients here): write the numbers in "
        "one way in all sources, and ingest into a new folder"
    ]
