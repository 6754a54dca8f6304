"""The page asks how some sentences begin: those beginnings are messages of their own."""

import pytest

from posology.advice.comparisons import OF_ALL
from posology.advice.form.timing import NO_DATE, WITHOUT_DATE
from posology.advice.options import CHANCE, GIVES, USUAL_DOSE
from posology.advice.why.missing import NO_CHANGE
from posology.language.catalogue import LANGUAGES, in_language, tr, tr_count

KNOWN = "If it were known,"
UNUSED = "Given but not used: {fact}"
MISSING = "No answer yet: {fact}"
SENTENCES = [
    (NO_CHANGE, "Whatever its value, the dose would stay nearly the same."),
    (NO_CHANGE, "Whatever its value, the first option would most likely stay the same."),
    (KNOWN, "If it were known, the dose would be from {low} to {high} {unit}."),
    (KNOWN, "If it were known, the dose would most likely be {span}."),
    (GIVES, "Of 100 patients with all these facts, usual care gives {counts}."),
    (CHANCE, "In the trial, chance decided which option was given."),
    (USUAL_DOSE, "The usual dose is {dose} {unit}."),
    (NO_DATE, "No date was given for {facts}: taken as recorded at the decision, {day}."),
    (WITHOUT_DATE, "Used without a date, as the training records have none: {facts}."),
    ("Given but not", UNUSED),
    (UNUSED, "Given but not used: {fact}. The model does not know it."),
    (UNUSED, "Given but not used: {fact} {value}. The model does not know this value."),
    (UNUSED, "Given but not used: {fact}. It {why}; {mend}."),
    (MISSING, "No answer yet: {fact} is not recorded."),
    (MISSING, "No answer yet: {fact} {why}."),
    ("Nothing:", "Nothing: the model also learned from patients without it."),
    ("learned from ", "Learned from {count} decisions."),
    ("from", "from the date of birth"),
    ("from", "from {code} of {day}"),
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("beginning", "sentence"), SENTENCES, ids=lambda text: text[:40])
def test_a_sentence_begins_as_the_page_asks(language: str, beginning: str, sentence: str) -> None:
    with in_language(language):
        assert tr(sentence).casefold().startswith(tr(beginning).casefold())
        if language != "en":
            assert tr(beginning) != beginning, "not in the catalogue"
            assert tr(sentence) != sentence, "not in the catalogue"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [1, 2])
def test_a_level_of_all_patients_names_the_goal_first(language: str, count: int) -> None:
    with in_language(language):
        sentence = tr_count(
            "For {names} this is the average of all patients: this one's own is not known.",
            "For {names} these are averages of all patients: this one's own are not known.",
            count,
        )
        assert sentence.format(names=f"{tr('the goal')} ...").startswith(tr(OF_ALL))
        assert (tr(OF_ALL) == OF_ALL) == (language == "en")
