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
def test_values_are_converted_to_the_codes_unit(code, unit, value, clean, target, expected):
    rule = code_rule(code, unit, BOOK)
    assert rule.code == (clean or code)
    assert rule.unit == target
    assert value * rule.factor + rule.shift == pytest.approx(expected, rel=1e-4)
    again = code_rule(rule.code, rule.unit, BOOK)
    assert (again.code, again.unit, again.factor, again.shift) == (rule.code, target, 1.0, 0.0)


def test_a_unit_of_another_quantity_is_rejected():
    assert code_rule("LOINC//29463-7", "mmol/L", BOOK).rejection == "unit_incompatible"


def test_a_missing_unit_is_taken_from_the_code_book_and_counted():
    rule = code_rule("LOINC//29463-7", None, BOOK)
    assert (rule.unit, rule.repairs) == ("kg", ("unit_assumed",))


def test_codes_are_normalised():
    assert normalise_code(" loinc // 2345-7 ") == "LOINC//2345-7"
    assert normalise_code("ICD10CM//e11.9") == "ICD10CM//E119"
    assert normalise_code("free  text") == "free text"


def test_an_own_code_book_adds_entries_and_takes_precedence(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[code."LAB//k"]\nunit = "mmol/L"\nlow = 1\nhigh = 10\n')
    rule = code_rule("LAB//k", "umol/L", load_codebook(path))
    assert (rule.unit, rule.factor, rule.low, rule.high) == ("mmol/L", 1e-3, 1, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cods]\n", "section 'cods' is not known; the sections are spelling"),
        ('[code."A"]\nlov = 1\n', "A: 'lov' is not known; an entry has high, low"),
        ("not toml", "mine.toml: "),
    ],
)
def test_an_invalid_code_book_is_an_error(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        load_codebook(path)


@pytest.mark.parametrize(
    ("code", "unit", "low", "high"),
    [
        ("HEIGHT", "cm", 20.0, 275.0),
        ("VITAL//Body_Height", "CM", 20.0, 275.0),
        ("BASELINE//height_cm", "cm", 20.0, 275.0),
        ("LAB//HEIGHT", "m", 0.2, 2.75),
        ("LAB//HEIGHT", "inches", 7.874, 108.3),
        ("LAB//HEIGHT", None, None, None),
        ("LAB//HEIGHT", "mmHg", None, None),
        ("LAB//FUNDAL_HEIGHT", "cm", None, None),
        ("HEIGHT//sitting", "cm", None, None),
        ("TUMOUR//SIZE", "cm", None, None),
    ],
)
def test_a_body_height_is_known_by_its_words_and_unit(code, unit, low, high):
    """1.80 cm was accepted under a hospital's own code, and refused under LOINC's."""
    rule = code_rule(code, unit, BOOK)
    assert (rule.low, rule.high, rule.factor) == (low, high, 1.0)


def test_a_code_book_of_ones_own_comes_before_the_words(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('[code."LAB//HEIGHT"]\nunit = "cm"\nlow = 1\nhigh = 10\n')
    rule = code_rule("LAB//HEIGHT", "cm", load_codebook(path))
    assert (rule.low, rule.high) == (1.0, 10.0)
