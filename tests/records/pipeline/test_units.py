import pytest

from posology.errors import RecordError
from posology.records.pipeline.units import code_rule, load_codebook, normalise_code

BOOK = load_codebook()


@pytest.mark.parametrize(
    ("code", "unit", "value", "clean", "target", "expected"),
    [
        ("LOINC//2345-7", "mmol/L", 5.0, "LOINC//2345-7", "mg/dL", 90.078),
        (
            "MEASUREMENT//LOINC//2345-7",
            "MMOL/L",
            5.0,
            "MEASUREMENT//LOINC//2345-7",
            "mg/dL",
            90.078,
        ),
        ("MEASUREMENT//LOINC//29463-7", "lbs", 100.0, None, "kg", 45.359237),
        ("MEASUREMENT//LOINC//8310-5", "degF", 98.6, None, "Cel", 37.0),
        ("LOINC//718-7", "g/L", 140.0, None, "g/dL", 14.0),
        ("DRUG//RXNORM//11289//given", "g", 0.005, None, "mg", 5.0),
        ("DRUG//RXNORM//11289//given", "mcg", 5000.0, None, "mg", 5.0),
        ("DRUG_PER_DAY//RXNORM//11289//given", "ug/d", 5000.0, None, "mg/d", 5.0),
        ("LAB//local", "g/dL", 14.0, None, "g/dL", 14.0),
        ("LAB//local", "MG/DL", 14.0, None, "mg/dL", 14.0),
        ("LAB//local", "mg/l", 14.0, None, "mg/L", 14.0),
        ("LAB//local", "degf", 32.0, None, "Cel", 0.0),
    ],
)
def test_values_become_the_codes_unit(code, unit, value, clean, target, expected):
    fate = code_rule(code, unit, BOOK)
    assert fate.code == (clean or code)
    assert fate.unit == target
    assert value * fate.factor + fate.shift == pytest.approx(expected, rel=1e-4)
    again = code_rule(fate.code, fate.unit, BOOK)
    assert (again.code, again.unit, again.factor, again.shift) == (fate.code, target, 1.0, 0.0)


def test_a_unit_of_another_kind_is_rejected():
    assert code_rule("LOINC//29463-7", "mmol/L", BOOK).rejection == "unit_incompatible"


def test_a_missing_unit_is_taken_from_the_code_book_and_counted():
    fate = code_rule("LOINC//29463-7", None, BOOK)
    assert (fate.unit, fate.repairs) == ("kg", ("unit_assumed",))


def test_codes_are_written_one_way():
    assert normalise_code(" loinc // 2345-7 ") == "LOINC//2345-7"
    assert normalise_code("ICD10CM//e11.9") == "ICD10CM//E119"
    assert normalise_code("free  text") == "free text"


def test_a_code_book_of_ones_own_adds_and_wins(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[code."LAB//k"]\nunit = "mmol/L"\nlow = 1\nhigh = 10\n')
    fate = code_rule("LAB//k", "umol/L", load_codebook(path))
    assert (fate.unit, fate.factor, fate.low, fate.high) == ("mmol/L", 1e-3, 1, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cods]\n", "section 'cods' is not known; the sections are spelling"),
        ('[code."A"]\nlov = 1\n', "A: 'lov' is not known; an entry has high, low"),
        ("not toml", "mine.toml: "),
    ],
)
def test_a_wrong_code_book_is_told(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        load_codebook(path)
