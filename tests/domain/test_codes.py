from posology.domain.codes import (
    add_descriptions,
    display_name,
    display_names,
    needs_name,
    study_codes,
)
from tests.builders.small_cohorts import STUDY

NAMES = (("CONDITION//SNOMED//84114007", "heart failure"), ("GENOTYPE//CYP2C9", "CYP2C9"))


def test_a_name_wins_and_the_longest_prefix_names_what_continues_it() -> None:
    assert display_name("CONDITION//SNOMED//84114007", NAMES) == "heart failure"
    assert display_name("GENOTYPE//CYP2C9//*1/*3", NAMES) == "CYP2C9: *1/*3"
    names = (*NAMES, ("GENOTYPE", "gene"))
    assert display_name("GENOTYPE//CYP2C9//*1/*3", names) == "CYP2C9: *1/*3"


def test_without_a_name_the_code_becomes_words_without_slashes() -> None:
    assert display_name("MEASUREMENT//LOINC//59261-8", ()) == "measurement LOINC: 59261-8"
    assert display_name("MEDS_DEATH", ()) == "death"
    assert display_name("AGE_DECADE", ()) == "age decade"
    assert display_names(("MEDS_DEATH", "SEX//female"), ()) == "death or sex female"


def test_observation_periods_have_names_of_their_own() -> None:
    """Before, pages said "follow-up ends at observation period END"."""
    assert display_name("OBSERVATION_PERIOD//END", ()) == "the end of observation"
    assert display_name("OBSERVATION_PERIOD//OTHER", ()) == "observation period OTHER"


def test_only_codes_that_nobody_can_read_need_a_name() -> None:
    needed = ("MEASUREMENT//LOINC//59261-8", "CONDITION//ICD10CM//E11.9", "DRUG//RXNORM//593411")
    assert all(needs_name(code, ()) for code in needed)
    readable = ("SEX//female", "GENOTYPE//CYP2C9//*1/*3", "AGE_DECADE", "DRUG//aspirin//yes")
    assert not any(needs_name(code, ()) for code in readable)
    assert not needs_name("CONDITION//SNOMED//84114007", NAMES)


def test_the_records_describe_codes_that_the_study_does_not_name() -> None:
    descriptions = {
        "CONDITION//SNOMED//84114007": "HF",
        "DRUG//RXNORM//475968//ordered": "liraglutide",
        "SEX//F": "Female",
        "SEX//M": "Male",
        "X": None,
    }
    codes = ("CONDITION//SNOMED//84114007", "DRUG//RXNORM//475968", "SEX", "X")
    named = add_descriptions(NAMES, codes, descriptions)
    assert named == (*NAMES, ("DRUG//RXNORM//475968", "liraglutide"))


def test_every_code_of_a_study_is_found() -> None:
    codes = study_codes(STUDY)
    assert set(STUDY.decision.codes) | set(STUDY.outcome.codes) <= set(codes)
    assert len(codes) == len(set(codes))
