"""The language of an answer: of one thread, and English by default."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from posology.errors import UserError
from posology.language.catalogue import (
    ENGLISH,
    GERMAN,
    current_language,
    deferred,
    in_language,
    tr,
    tr_count,
)


def test_a_language_is_of_one_thread_and_ends_with_its_block() -> None:
    assert current_language() == ENGLISH
    with in_language(GERMAN), ThreadPoolExecutor(1) as pool:
        assert tr("Usual care") == "Übliche Versorgung"
        assert pool.submit(tr, "Usual care").result() == "Usual care"
        with in_language(ENGLISH):
            assert tr("Usual care") == "Usual care"
    assert tr("Usual care") == deferred("Usual care") == "Usual care"


def test_one_and_several() -> None:
    count = ("{count} day", "{count} days")
    assert [tr_count(*count, n) for n in (0, 1, 2)] == [
        "{count} days",
        "{count} day",
        "{count} days",
    ]
    with in_language(GERMAN):
        assert [tr_count(*count, n) for n in (1, 2)] == ["{count} Tag", "{count} Tage"]


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"language 'fr' is not one of en, de\."), in_language("fr"):
        pass
