"""The answer for one patient in German: nothing of it is left in English but the study's names."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from posology.language.catalogue import GERMAN, in_language
from posology.workflows.fit import fit
from posology.workflows.recommend import RecommendResult, recommend, template
from tests.builders.german import english_left, visible
from tests.builders.policies import iwpc_cohort

PATIENTS = {
    "typical": {},
    "little is known": None,
    "beyond the highest": {"height": 205},
    "a value that is not known": {"race": "Martian"},
    "unlike": {"weight": 230, "height": 130},
}
"""What differs from a typical patient of training; None: only the sex is known."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    fit(iwpc_cohort(), method="logistic").save(folder)
    return folder


def answer(model: Path, name: str, language: str = GERMAN) -> RecommendResult:
    changed = PATIENTS[name]
    typical = template(model, typical=True)["facts"]
    facts = {"sex": "male"} if changed is None else typical | changed
    form = {"facts": facts, "decision": "2026-11-27"}
    with in_language(language):
        return recommend(model, form)


@pytest.mark.parametrize("name", PATIENTS)
def test_nothing_is_left_in_english(name: str, model: Path, tmp_path: Path) -> None:
    result = answer(model, name)
    result.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page
    assert english_left(visible(page), result.study) == []
    assert english_left(result.summary(), result.study) == []


def test_the_dose_has_a_decimal_comma_and_the_record_a_german_date(model: Path) -> None:
    shown = " ".join(answer(model, "typical").summary().split())
    assert "Der Bedarf liegt wahrscheinlich bei " in shown
    assert "Aktenstand 27.11.2026" in shown
    assert re.search(r"\d,\d+ (?:bis|mg)", shown)
    assert not re.search(r"\d\.\d mg", shown)
    assert "Es ist kein Medizinprodukt." in shown


def test_codes_and_numbers_are_the_same_in_both_languages(model: Path) -> None:
    german, english = (answer(model, "typical", language).to_json() for language in ("de", "en"))
    assert german["headline"] != english["headline"]
    for key in ("state", "is_ranked", "unit", "dose"):
        assert german[key] == english[key]
    for mine, other in zip(german["options"], english["options"], strict=True):
        for key in ("name", "standing", "outcome", "difference", "dose"):
            assert mine[key] == other[key]


def test_the_page_of_an_answer_is_in_its_language_wherever_it_is_written(model: Path) -> None:
    result = answer(model, "typical")
    assert "Wie sicher" in result.summary()
    with in_language("en"):
        assert "Wie sicher" in result.summary()


def test_answers_in_two_languages_at_once_do_not_mix(model: Path) -> None:
    languages = ["de", "en"] * 4
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda one: answer(model, "typical", one), languages))
    heads = {(r.language, r.recommendation.headline.split()[0]) for r in results}
    assert heads == {("de", "Der"), ("en", "This")}
