"""Numbers in another unit than the study declares are an error that names the mend."""

import re

import pytest

from posology.cohorts.study.unit_check import check_units, compare_units
from posology.errors import StudyError
from tests.builders.two_drug_records import study

PRESSURE = ('codes = ["LAB"]\nunit = "mmol/L"', 'codes = ["LOINC//8480-6"]\nunit = "mm[Hg]"')
DOSES = (
    (
        'codes = ["DRUG//A"]',
        'codes = ["DRUG//A"]\ndose = { at_least = 1.0, at_most = 9.0, unit = "mg/d" }',
    ),
)


def verdicts(counts: dict[tuple[str, str], int], *changes: tuple[str, str]) -> list[str]:
    return [row["verdict"] for row in compare_units(counts, study(*changes))]


@pytest.mark.parametrize(
    ("unit", "verdict"),
    [
        ("mm[Hg]", "same"),
        ("mmHg", "other spelling"),
        ("MM HG", "other spelling"),
        ("", "not recorded"),
        ("kPa", "wrong"),
        ("mg", "wrong"),
        ("bananas", "wrong"),
    ],
)
def test_a_unit_is_the_declared_one_however_it_is_spelled(unit: str, verdict: str) -> None:
    assert verdicts({("LOINC//8480-6", unit): 7}, PRESSURE) == [verdict]


@pytest.mark.parametrize(
    ("unit", "dose_per", "verdict"),
    [
        ("mg/d", '"day"', "same"),
        ("mg", '"day"', "same"),
        ("mcg/d", '"day"', "wrong"),
        ("g/d", '"day"', "wrong"),
        ("mg/wk", '"day"', "wrong"),
        ("mg/wk", '"week"', "same"),
        ("mg/d", '"week"', "wrong"),
        ("mg", '"each"\ndose_days = 7', "same"),
        ("mg/d", '"each"\ndose_days = 7', "wrong"),
        ("milligram", '"each"\ndose_days = 7', "other spelling"),
    ],
)
def test_a_dose_is_an_amount_of_the_time_that_the_study_states(
    unit: str, dose_per: str, verdict: str
) -> None:
    changes = (*DOSES, ("grace_days = 1", f"grace_days = 1\ndose_per = {dose_per}"))
    assert verdicts({("DRUG//A//ordered", unit): 3}, *changes) == [verdict]


def test_annotations_of_units_mean_nothing() -> None:
    rate = ('codes = ["LAB"]\nunit = "mmol/L"', 'codes = ["LAB"]\nunit = "mL/min/{1.73_m2}"')
    for unit in ("mL/min/1.73 m2", "mL/min/1.73m^2", "ml/min"):
        assert verdicts({("LAB", unit): 1}, rate) == ["other spelling"], unit


def test_the_error_names_code_units_and_the_mend() -> None:
    counts = {("LOINC//8480-6", "kPa"): 30, ("LOINC//8480-6", "mm[Hg]"): 70, ("DRUG//A", "g/d"): 9}
    asked = study(PRESSURE, *DOSES)
    with pytest.raises(StudyError) as error:
        check_units(compare_units(counts, asked), asked)
    message = str(error.value)
    assert (
        "[outcome] unit is `mm[Hg]`, but 30 of the 100 numbers of `LOINC//8480-6` are in `kPa`"
        in message
    )
    assert "(number x 7.501 is `mm[Hg]`)" in message
    assert (
        "dose of treatment a is `mg/d`, but 9 of the 9 numbers of `DRUG//A` are in `g/d`" in message
    )
    assert "(number x 1000 is `mg/d`)" in message
    assert "`posology ingest --codebook` and ingest again, or state the study's unit" in message
    with pytest.raises(StudyError, match=re.escape("in `bananas`, which is no such quantity")):
        check_units(compare_units({("LOINC//8480-6", "bananas"): 1}, asked), asked)


def test_molar_masses_of_the_code_book_convert() -> None:
    glucose = ('codes = ["LAB"]\nunit = "mmol/L"', 'codes = ["LOINC//2345-7"]\nunit = "mmol/L"')
    rows = compare_units({("LOINC//2345-7", "mg/dL"): 1}, study(glucose))
    assert rows[0]["verdict"] == "wrong"
    assert "(number x 0.0555" in rows[0]["message"]
