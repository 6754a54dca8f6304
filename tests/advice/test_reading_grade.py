"""Headlines and leads of every state can be read with nine years of school."""

import re

import pytest

from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import Estimate
from tests.advice.test_states import answer
from tests.builders.patient_evidence import estimate, evidence

HIGHEST_GRADE = 9.0
STATES = {
    "better": (evidence("gain"), {}),
    "better_than_reference": (evidence("gain", means=(0.0, 0.20, 0.18)), {}),
    "average": (evidence("none", averages=(estimate(9.0, 3.0), estimate(-1.0, 3.0))), {}),
    "no_option": (evidence("none", bleeding=Estimate(4.0, 2.0, 6.0)), {}),
    "worse": (evidence("none", averages=(estimate(-9.0, 3.0), estimate(0.0, 3.0))), {}),
    "not_judged": (None, {}),
    "too_few": (None, {"certainty": Certainty(12, 50)}),
    "outside": (None, {"certainty": Certainty(is_outside_training=True)}),
}


def grade(text: str) -> float:
    """Flesch-Kincaid grade (Kincaid 1975): 0.39 words/sentence + 11.8 syllables/word - 15.59."""
    sentences = len(re.findall(r"[.!?](?:\s|$)", text))
    words = re.findall(r"[A-Za-z]+|\d+", text)
    return 0.39 * len(words) / sentences + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def syllables(word: str) -> int:
    """Groups of vowels; a silent e at the end does not count. A number counts as one."""
    groups = len(re.findall(r"[aeiouy]+", word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith("le") and groups > 1
    return max(groups - silent, 1)


def test_the_measure_tells_hard_from_easy() -> None:
    assert grade("The cat sat on the mat.") < 2
    assert grade("Personalisation demonstrates statistically significant heterogeneity.") > 15


@pytest.mark.parametrize("state", STATES)
def test_the_answer_can_be_read(state: str) -> None:
    made, parts = STATES[state]
    advice = answer(made, **parts)
    assert grade(" ".join((advice.headline, *advice.lead))) <= HIGHEST_GRADE
