"""Regular expressions of mapping files, by RE2: linear in the text, whatever the pattern."""

import re
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from posology.errors import RecordError


def compile_first_group(pattern: str) -> Callable[[str], str | None]:
    """A function for the first group of the pattern in a text; None if it does not match.

    RecordError if RE2, which Arrow has, cannot read the pattern, or if it has no group.
    """
    try:
        groups = re.compile(pattern).groups
        pc.match_substring_regex(pa.array([""]), pattern)
    except (re.error, RecursionError, OverflowError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise RecordError(
            f"{pattern!r} is not a regular expression of RE2 (no look-around, no references to "
            f"groups): {reason}"
        ) from error
    if groups < 1:
        raise RecordError(f"the pattern {pattern!r} needs a group in parentheses")
    whole = rf"\A(?s:.*?)(?:{pattern})(?s:.*)\z"

    def first_group(text: str) -> str | None:
        cell = pa.array([text])
        if not pc.match_substring_regex(cell, pattern)[0].as_py():
            return None
        return pc.replace_substring_regex(cell, whole, r"\1")[0].as_py()

    return first_group
