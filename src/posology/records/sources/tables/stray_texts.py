"""Texts in a table's column of numbers: kept as texts, and named by column and row."""

from typing import Any

import duckdb

from posology.records.io.patterns import value_pattern
from posology.records.pipeline.cleaning_rules import NUMBER
from posology.records.sources.tables.mapping import EventMapping

MAX_SHARE = 0.1
"""Share of a code's values up to which texts stray among numbers; above it they may be answers
(our choice)."""
MIN_NUMBERS = 10
"""Numbers from which on a code is one of numbers (our choice)."""
_AT_LEAST = "^[0-9.]+ *[+]$"
"""`90+`, which is no answer however many have it."""


def find_stray_texts(duck: duckdb.DuckDBPyConnection, entry: EventMapping) -> list[dict[str, Any]]:
    """Codes of table `parsed` with a few texts among numbers: how many, and the first one's row.

    A text is shown by its pattern, since it may name a patient.
    """
    if entry.value is None:
        return []
    query = f"""
        WITH mixed AS (
            SELECT code, count(numeric_value) AS numbers FROM parsed WHERE field IS NULL
            GROUP BY code
            HAVING numbers BETWEEN {MIN_NUMBERS} AND count(*) - 1
        ), texts AS (
            SELECT code, _row, value_cell, numbers
            FROM (SELECT _row, code FROM parsed WHERE field IS NULL AND numeric_value IS NULL)
            JOIN mixed USING (code) JOIN (SELECT _row, value_cell FROM selected) USING (_row)
            WHERE value_cell IS NOT NULL AND NOT regexp_matches(value_cell, '{NUMBER}')
        )
        SELECT code, count(*) AS strays, any_value(numbers) + count(*) AS filled,
            min(_row) AS row, arg_min(value_cell, _row) AS cell
        FROM texts GROUP BY code
        HAVING strays <= {MAX_SHARE} * filled OR bool_and(regexp_matches(value_cell, '{_AT_LEAST}'))
        ORDER BY code
    """
    return [
        {
            "code": code,
            "column": entry.value,
            "strays": strays,
            "values": values,
            "row": row,
            "pattern": value_pattern(cell),
        }
        for code, strays, values, row, cell in duck.execute(query).fetchall()
    ]
