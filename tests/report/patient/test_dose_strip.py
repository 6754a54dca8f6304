import re
from dataclasses import replace

from posology.domain.recommendation.option import DoseAdvice
from posology.report.patient.dose_strip import dose_strip
from tests.builders.recommendation_parts import LOW_DOSE


def test_the_scale_holds_every_interval_and_the_title_has_the_numbers() -> None:
    svg = dose_strip(LOW_DOSE)
    assert svg.count("<rect") == 3
    assert "usual 35" in svg
    assert "not advised" not in svg  # 45 of 50: there is no room for it
    title = "16 mg a week; supported 7 to 45; plan for 12 to 21; be ready for 10 to 29"
    assert f"<title>{title}</title>" in svg
    places = [float(x) for x in re.findall(r'x[12]?="([\d.]+)%"', svg)]
    assert 0 <= min(places) < max(places) <= 100


def test_what_is_not_measured_is_not_drawn() -> None:
    bare = replace(LOW_DOSE, plan_for=None, ready_for=None, usual=None)
    svg = dose_strip(bare)
    assert svg.count("<rect") == 1
    assert "usual" not in svg


def test_a_range_without_an_advised_dose_has_no_mark() -> None:
    svg = dose_strip(LOW_DOSE, is_advised=False)
    assert 'class="figure"' not in svg
    assert "<title>supported 7 to 45; plan for 12 to 21; be ready for 10 to 29</title>" in svg


def test_a_support_far_beyond_the_dose_runs_out_of_the_scale() -> None:
    svg = dose_strip(replace(LOW_DOSE, supported=(2.1, 175.0), usual=None))
    assert ">to 175 \u2192</text>" in svg
    assert ">40</text>" in svg
    assert ">50</text>" not in svg


def test_the_intervals_have_room_where_far_more_is_supported() -> None:
    warfarin = replace(
        LOW_DOSE, dose=15.0, supported=(2.1, 175.0), plan_for=(8.0, 21.0), ready_for=(8.0, 21.0)
    )
    plan = re.search(r'class="plan" x="([\d.]+)%" width="([\d.]+)%"', dose_strip(warfarin))
    assert plan is not None
    assert float(plan[2]) > 20, "a fifth of 390 pixels: it was 9 per cent"


def test_labels_that_would_meet_stand_on_two_lines() -> None:
    apart, near = dose_strip(LOW_DOSE), dose_strip(replace(LOW_DOSE, usual=17.0))
    assert int(re.findall(r'height="([\d.]+?)(?:\.0)?"', near)[0]) == 18 + int(
        re.findall(r'height="([\d.]+?)(?:\.0)?"', apart)[0]
    )


def test_an_odd_dose_has_a_scale_too() -> None:
    tiny = DoseAdvice(0.05, "mg/day", 0.05, (0.05, 0.05))
    assert "0.05 mg/day; supported 0.05" in dose_strip(tiny)
    large = replace(
        LOW_DOSE, dose=12e3, supported=(5e2, 12e3), plan_for=(4e2, 3e4), ready_for=(1.0, 9e4)
    )
    assert ">100000</text>" in dose_strip(large)
