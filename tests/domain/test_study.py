from dataclasses import replace

import pytest

from tests.builders.small_cohorts import STUDY


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ("Not for children.", "Children."),
        ("not intended for: loading doses", "Loading doses"),
        ("Children; notes for nurses.", "Children; notes for nurses."),
        ("Nothing for anyone.", "Nothing for anyone."),
        ("", ""),
    ],
)
def test_limits_do_not_repeat_their_heading(limits: str, shown: str) -> None:
    assert replace(STUDY, limits=limits).not_for == shown
