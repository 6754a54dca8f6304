"""Which mark of a table's numbers is the decimal mark, and which may set off thousands."""

import re
from collections.abc import Iterable, Sequence

_SIGN = "[<>≤≥]?=? ?[-+]?"
_EITHER = re.compile(rf"{_SIGN}[1-9]\d{{0,2}}((\.\d{{3}})+|(,\d{{3}})+)")
_NUMBERS = {
    ",": re.compile(rf"{_SIGN}(\d{{1,3}}(\.\d{{3}})+|\d+)(,\d+)?"),
    ".": re.compile(rf"{_SIGN}\d{{1,3}}(,\d{{3}})+(\.\d+)?"),
}
"""Numbers that a file with this decimal mark writes with marks that are to be changed."""


def decimal_mark(cells: Sequence[str]) -> tuple[str, str]:
    """The decimal mark that numbers show, else ""; then one such as 4.231, if there is any.

    Of that nobody can tell whether the mark is the decimal one or sets off thousands.
    """
    marked = [cell for cell in cells if "." in cell or "," in cell]
    clear = [cell for cell in marked if not _EITHER.fullmatch(cell)]
    if clear:
        return "," if any("," in cell for cell in clear) else ".", ""
    return "", next(iter(marked), "")


def file_mark(shown: Iterable[tuple[str, str]], delimiter: str) -> str:
    """The decimal mark of a file, from what `decimal_mark` says of its columns.

    Where no column shows it, a comma in a file separated by semicolons is one.
    """
    marks, unclear = zip(*shown, strict=True)
    if any(marks):
        return "," if "," in marks else "."
    has_commas = any(unclear) and all("," in cell for cell in unclear if cell)
    return "," if has_commas and delimiter == ";" else "."


def plain_number(cell: str, mark: str) -> str:
    """The number as Python writes it, where `mark` is the decimal mark; any other text as it is."""
    if not _NUMBERS[mark].fullmatch(cell):
        return cell
    thousands = "," if mark == "." else "."
    return cell.replace(thousands, "").replace(mark, ".")
