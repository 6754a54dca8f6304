"""SQL for DuckDB that reads a table's events by its mapping."""

import re

from posology.records.io.engine import escape_quotes
from posology.records.sources.tables.mapping import FIELD, SECONDS, EventMapping
from posology.records.sources.tables.months import month_numbers_sql, numeric_format

NO = ("0", "0.0", "false", "no", "n", "nein", "nie")
YES = ("1", "1.0", "true", "yes", "y", "ja", "j", "tak", "t")
"""Words of columns that say whether something happened, in small letters."""


def selected_sql(entry: EventMapping) -> str:
    """A query of table `input` for the texts of each row that the mapping needs."""
    where = "" if entry.when is None else f"WHERE {_is_read(entry)}"
    offset = entry.offset if isinstance(entry.offset, str) else None
    texts = {
        "subject": _template(entry.subject_template, entry),
        "code": _template(entry.code, entry),
        "time_cell": _template(entry.time, entry),
        "offset_cell": _cell(offset, entry),
        "value_cell": _value(entry),
        "unit": _template(entry.unit, entry),
        "text_cell": _template(entry.text, entry),
    }
    named = ", ".join(f"{sql} AS {name}" for name, sql in texts.items())
    return f"SELECT _row, {named} FROM input {where}"


def _is_read(entry: EventMapping) -> str:
    """SQL for whether a row has this event."""
    cell = _cell(entry.when, entry)
    if not entry.accepted:
        return f"{cell} IS NOT NULL"
    accepted = ", ".join(f"'{escape_quotes(text)}'" for text in entry.accepted)
    return f"{cell} IN ({accepted})"


def unread_no_sql(entry: EventMapping) -> str:
    """A query of table `input` for a word of no (such as 0), if `when` has only yes and no."""
    text = _cell(entry.when, entry)
    cell, no = f"lower({text})", ", ".join(f"'{word}'" for word in NO)
    both = ", ".join(f"'{word}'" for word in (*NO, *YES))
    return (
        f"SELECT any_value({text}) FILTER ({cell} IN ({no})) FROM input "
        f"HAVING bool_and(coalesce({cell} IN ({both}), true))"
    )


def _value(entry: EventMapping) -> str:
    """SQL for the value's cell; decimal commas become points where the cell is such a number.

    A bound such as `<5,2` is changed in the same way, so that cleaning can read it.
    """
    cell = _cell(entry.value, entry)
    if entry.decimal != "," or entry.value is None:
        return cell
    number = "^[<>≤≥]?=? *[-+]?([0-9]{1,3}([.][0-9]{3})+|[0-9]+)(,[0-9]+)?$"
    plain = f"replace(replace({cell}, '.', ''), ',', '.')"
    return f"CASE WHEN regexp_matches({cell}, '{number}') THEN {plain} ELSE {cell} END"


def parsed_sql(entry: EventMapping, time_zone: str) -> str:
    """A query of tables `selected` and `subject_ids` for the events in RAW.

    Columns `field`, `value` and `reason` have the first fault of a row, or null.
    """
    faults = _faults(entry)

    def case(column: int) -> str:
        arms = []
        for fault in faults:
            value = fault[column] if column == 2 else f"'{escape_quotes(fault[column])}'"
            arms.append(f"WHEN {fault[0]} THEN {value}")
        return f"CASE {' '.join(arms)} END"

    return f"""SELECT *, {case(1)} AS field, {case(2)} AS value, {case(3)} AS reason FROM (
            SELECT _row, subject, code, time_cell, offset_cell, unit, subject_id, moment, seconds,
                number AS numeric_value,
                nullif(concat_ws('; ', CASE WHEN number IS NULL THEN value_cell END,
                    text_cell), '') AS text_value,
                try(moment + to_microseconds(seconds)) AS shifted,
                {"shifted" if entry.offset is not None else "moment"} AS time
            FROM (
                SELECT *, {_moment(entry, time_zone)} AS moment,
                    {_offset(entry)} AS seconds,
                    try_cast(CASE WHEN isfinite(try_cast(value_cell AS DOUBLE)) THEN value_cell END
                        AS FLOAT) AS cell_number,
                    CASE WHEN isfinite(cell_number) THEN cell_number END AS number
                FROM selected LEFT JOIN subject_ids USING (subject)
            )
        )"""


def _offset(entry: EventMapping) -> str:
    """SQL for the microseconds that are added to the time."""
    number = "try_cast(offset_cell AS DOUBLE)"
    if isinstance(entry.offset, float | int):
        number = f"{float(entry.offset)!r}::DOUBLE"
    return f"try_cast(round({number} * {SECONDS[entry.offset_unit]}e6) AS BIGINT)"


def _faults(entry: EventMapping) -> list[tuple[str, str, str, str]]:
    """Condition (SQL), field, value (SQL) and reason of each fault, in the order of tests."""
    time, offset = entry.time or "", str(entry.offset or "")
    faults = [
        ("subject_id IS NULL", entry.subject or "", "subject", "names no subject"),
        ("code IS NULL", "code", "NULL", f"a column of {entry.code} is empty"),
    ]
    if entry.time is not None:
        expected = "as ISO 8601; set time_format, such as %d/%m/%Y"
        if entry.formats:
            expected = f"as {' or '.join(entry.formats)}"
        if not entry.timeless:
            faults.append(("time_cell IS NULL", time, "NULL", "is empty"))
        invalid = "moment IS NULL AND time_cell IS NOT NULL"
        faults.append((invalid, time, "time_cell", f"is not a date {expected}"))
    if entry.offset is not None:
        reason = f"is not a number of {entry.offset_unit}"
        faults.append(("seconds IS NULL", offset, "offset_cell", reason))
        invalid = "shifted IS NULL AND moment IS NOT NULL"
        faults.append((invalid, offset, "offset_cell", "leads outside the calendar"))
    return faults


def _moment(entry: EventMapping, time_zone: str) -> str:
    """SQL for the time in `time_cell`; null if it is not a date."""
    if entry.time is None:
        return "NULL::TIMESTAMP"
    iso = _iso_moment(time_zone)
    stated = [iso if text == "iso" else _formatted_moment(text, entry) for text in entry.formats]
    return f"coalesce({', '.join(stated)})" if stated else iso


def _formatted_moment(time_format: str, entry: EventMapping) -> str:
    """SQL for a time in this format; a month or a year alone is its last second.

    A fact about a month is not known before the month ends.
    """
    cell = "time_cell"
    if entry.months is not None and "%b" in time_format.lower():
        cell = month_numbers_sql(cell, entry.months)
        time_format = numeric_format(time_format)
    moment = f"try_strptime({cell}, '{escape_quotes(time_format)}')::TIMESTAMP"
    if re.search("%-?[djcDFvVxsU]", time_format):
        return moment
    length = "MONTH" if re.search("%-?[mbBh]", time_format) else "YEAR"
    return f"({moment} + INTERVAL 1 {length} - INTERVAL 1 SECOND)"


def _iso_moment(time_zone: str) -> str:
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    patterns = {
        f"{day}[ T].*(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)": (
            f"timezone('{escape_quotes(time_zone)}', try_cast(time_cell AS TIMESTAMPTZ))"
        ),
        f"{day}([ T].*)?": "try_cast(time_cell AS TIMESTAMP)",
        "[0-9]{8}": "try_strptime(time_cell, '%Y%m%d')",
        "[0-9]{4}-[0-9]{2}": (
            "try_cast(time_cell || '-01' AS TIMESTAMP) + INTERVAL 1 MONTH - INTERVAL 1 SECOND"
        ),
        "[0-9]{4}": (
            "try_cast(time_cell || '-01-01' AS TIMESTAMP) + INTERVAL 1 YEAR - INTERVAL 1 SECOND"
        ),
    }
    arms = [
        f"WHEN regexp_full_match(time_cell, '{pattern}') THEN {moment}"
        for pattern, moment in patterns.items()
    ]
    return f"CASE {' '.join(arms)} END"


def quote_name(column: str) -> str:
    """A column name in double quotes."""
    return '"' + column.replace('"', '""') + '"'


def _cell(column: str | None, entry: EventMapping) -> str:
    """SQL for a cell as text; null if it is empty, or `missing` says that it is."""
    if column is None:
        return "NULL::VARCHAR"
    text = f"trim({quote_name(column)}::VARCHAR)"
    if not entry.missing:
        return f"nullif({text}, '')"
    empty = ", ".join(f"'{escape_quotes(mark)}'" for mark in ("", *entry.missing))
    return f"CASE WHEN {text} NOT IN ({empty}) THEN {text} END"


def _template(template: str | None, entry: EventMapping) -> str:
    """SQL for a template with the row's cells; null if one of them is empty."""
    if template is None:
        return "NULL::VARCHAR"
    parts = FIELD.split(template)
    pieces = [
        _cell(part, entry) if index % 2 else f"'{escape_quotes(part)}'"
        for index, part in enumerate(parts)
        if part
    ]
    return " || ".join(pieces) or "NULL::VARCHAR"
