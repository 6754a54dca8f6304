from posology.language.catalogue import in_language
from posology.language.numbers import number
from posology.report.axis import axis_ticks, tick_label


def test_ticks_are_few_and_round() -> None:
    assert axis_ticks(-41.9, 56.6) == [-40.0, -20.0, 0.0, 20.0, 40.0]
    assert axis_ticks(0.0, 100.0) == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert axis_ticks(-0.012, 0.03) == [-0.01, 0.0, 0.01, 0.02, 0.03]


def test_a_label_has_a_minus_sign_and_no_needless_decimals() -> None:
    assert [tick_label(x) for x in (-10.0, 0.0, 0.5)] == ["\u221210", "0", "0.5"]


def test_thousands_are_marked_at_any_size() -> None:
    """A million read 1e+06 on an axis, beside 1,000,000 in the table."""
    large = [tick_label(x) for x in (-12_000.0, 1_000_000.0, 1000.5)]
    assert large == ["\u221212,000", "1,000,000", "1,000.5"]
    with in_language("de"):
        assert number(large[1]) == "1.000.000"
