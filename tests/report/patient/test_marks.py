import re

from posology.domain.recommendation.option import Estimate
from posology.report.patient.content import BAD, GOOD, REFERENCE, SAME
from posology.report.patient.marks import axis_svg, common_axis, interval_svg, two_sided_bar

DIFFERENCES = (Estimate(21.0, 11.0, 31.0), Estimate(-3.0, -9.0, 2.0))


def test_one_axis_holds_every_interval_and_zero() -> None:
    axis = common_axis(DIFFERENCES)
    assert axis is not None
    rows = [interval_svg(axis, d, SAME, "") for d in DIFFERENCES]
    places = [float(x) for x in re.findall(r'x[12]?="([\d.]+)%"', "".join(rows) + axis_svg(axis))]
    assert len(places) > 10
    assert 0 <= min(places) < max(places) <= 100
    assert common_axis(()) is None
    only_worse = common_axis(DIFFERENCES[1:])
    assert only_worse is not None
    assert only_worse.low < -9 < 0 < 2 < only_worse.high


def test_the_shape_says_the_verdict_and_the_title_is_escaped() -> None:
    axis = common_axis(DIFFERENCES)
    assert axis is not None
    kinds = (GOOD, BAD, SAME)
    shapes = {k: interval_svg(axis, DIFFERENCES[0], k, "a < b") for k in kinds}
    assert "M0-6L6 5H-6Z" in shapes[GOOD]
    assert "M0 6L6-5H-6Z" in shapes[BAD]
    assert "<circle" in shapes[SAME]
    assert all("<title>a &lt; b</title>" in svg for svg in shapes.values())
    reference = interval_svg(axis, None, REFERENCE, "the reference")
    assert 'class="hollow"' in reference
    assert "reach" not in reference


def test_a_bar_points_to_the_option_that_it_speaks_for() -> None:
    assert '<rect class="for" x="50.00%" width="50.00%"' in two_sided_bar(6.0, 6.0, "")
    assert '<rect class="against" x="25.00%" width="25.00%"' in two_sided_bar(-3.0, 6.0, "")
    assert 'width="0.00%"' in two_sided_bar(0.0, 0.0, "")
