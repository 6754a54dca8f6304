"""The language that a browser asks for, of those that are offered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posology.language.choice import choose_language


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, fr;q=0.9", "de"),
        ("fr, de;q=0.5, en;q=0.7", "en"),
        ("fr, en;q=0.5, de;q=0.7", "de"),
        ("de;q=0", "en"),
        ("de;q=0, fr", "en"),
        ("DE_at", "en"),
        ("de;q=much", "en"),
        ("de;q=nan", "en"),
        ("de;q=7", "en"),
        ("de;level=1", "en"),
        ("*", "en"),
    ],
)
def test_the_language_liked_best_is_chosen(accepted: str, chosen: str) -> None:
    assert choose_language(accepted, ("en", "de")) == chosen


def test_the_first_one_is_chosen_where_none_is_liked() -> None:
    assert choose_language("fr", ("de", "en")) == "de"
    assert choose_language("en", ("de",)) == "de"


@given(st.text(alphabet="den-;q=0.19,* ", max_size=40))
def test_no_header_breaks_it(accepted: str) -> None:
    assert choose_language(accepted, ("en", "de")) in ("en", "de")
