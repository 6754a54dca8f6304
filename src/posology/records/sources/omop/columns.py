"""Columns of OMOP tables as Ibis expressions; a missing column or an invalid cell is null."""

import ibis
import ibis.expr.types as ir

from posology.records.schema import MAX_FLOAT32


def read_integer(table: ir.Table, name: str) -> ir.Value:
    """The column as int64."""
    return _cast(table, name, "int64")


def read_number(table: ir.Table, name: str) -> ir.Value:
    """The column as float64; null if 32 bits cannot hold the number."""
    value = _cast(table, name, "float64")
    return ibis.ifelse(value.abs() > MAX_FLOAT32, None, value)


def read_text(table: ir.Table, name: str) -> ir.Value:
    """The column as text without outer spaces; null if it is empty."""
    if name not in table.columns:
        return ibis.null("string")
    return table[name].cast("string").strip().nullif("")


def read_timestamp(table: ir.Table, name: str) -> ir.Value:
    """The column as timestamp."""
    return _cast(table, name, "timestamp")


def read_event_time(table: ir.Table, name: str) -> ir.Value:
    """The column `name_datetime`, or if it is null the start of the day `name_date`."""
    return ibis.coalesce(
        read_timestamp(table, f"{name}_datetime"), read_timestamp(table, f"{name}_date")
    )


def _cast(table: ir.Table, name: str, kind: str) -> ir.Value:
    if name not in table.columns:
        return ibis.null(kind)
    column = table[name]
    return column.try_cast(kind) if column.type().is_string() else column.cast(kind)


def code_part(value: ir.Value) -> ir.Value:
    """A text as one part of a code: without white space or `//`."""
    return value.re_replace("[ \t\r\n]+", "_").re_replace("//+", "/")


def positive(value: ir.Value) -> ir.Value:
    """Null if the number is 0 or negative."""
    return ibis.ifelse(value > 0, value, None)


def number_text(value: ir.Value) -> ir.Value:
    """A number as text, without `.0` at its end."""
    return value.cast("string").re_replace("\\.0$", "")


def days_between(start: ir.Value, end: ir.Value) -> ir.Value:
    """Days from one date to another."""
    return end.delta(start, unit="day")
