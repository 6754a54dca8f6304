"""Columns of a table that hold a measurement again, at a later visit."""

import re
from collections.abc import Iterable

from posology.records.sources.tables.column_kinds import plain_name

_AT = re.compile(r"(.+)_[a-z]{0,5}(\d+)[a-z]?")
"""Plain names such as `hba1c_52`, `hb_w12` and `sbp_12w`: the measurement, and when."""


def measured_again(names: Iterable[str]) -> frozenset[str]:
    """Those of `hba1c_0` and `hba1c_52` that are later than the one of 0."""
    found = [(name, _AT.fullmatch(plain_name(name))) for name in names]
    times = [(name, at[1], int(at[2])) for name, at in found if at is not None]
    first = {measured for _, measured, when in times if when == 0}
    return frozenset(name for name, measured, when in times if when > 0 and measured in first)
