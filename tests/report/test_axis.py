from posology.report.axis import axis_ticks, tick_label


def test_ticks_are_few_and_round() -> None:
    assert axis_ticks(-41.9, 56.6) == [-40.0, -20.0, 0.0, 20.0, 40.0]
    assert axis_ticks(0.0, 100.0) == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    assert axis_ticks(-0.012, 0.03) == [-0.01, 0.0, 0.01, 0.02, 0.03]


def test_a_label_has_a_minus_sign_and_no_needless_decimals() -> None:
    assert [tick_label(x) for x in (-10.0, 0.0, 0.5)] == ["\u221210", "0", "0.5"]
