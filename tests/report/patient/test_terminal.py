from dataclasses import replace
from io import StringIO

from rich.console import Console, RenderableType

from posology.domain.forecast import (
    DiagnosisForecast,
    Forecast,
    ProgressionForecast,
    TimeToEventForecast,
)
from posology.report.patient.terminal import (
    callout_lines,
    forecast_panel,
    recommendation_panel,
    totals_table,
)
from tests.builders.plain_recommendation import ADVICE
from tests.builders.small_cohorts import STUDY

FORECAST = Forecast(
    diagnosis=(DiagnosisForecast("thyroid", 0.0, 365.0, 0.12, 0.08, 0.17),),
    progression=(ProgressionForecast("weight", 30.0, 90.0, "kg", 80.0, 78.0, 82.0, 70.0, 90.0),),
    time_to_event=(
        TimeToEventForecast("death", (30.0, 60.0), (0.01, 0.02), (0.0, 0.01), (0.02, 0.03)),
    ),
)


def printed(body: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=120).print(body)
    return " ".join(out.getvalue().split())


def test_a_recommendation_lists_options_dose_and_what_is_not_recorded() -> None:
    text = printed(recommendation_panel(ADVICE))
    assert "58 (49 to 67) 21 (11 to 31) 14.5 mg/week better" in text
    assert "high dose forbidden" in text
    assert "Dose: 14.5 mg/week (90 of 100 patients need 9 to 21)" in text
    assert "Guideline fixed: 35 mg/week (A guideline, 2024)" in text
    assert "Not recorded: weight" in text
    assert "Not for: Children." in text
    assert "model 0123456789ab · decision support, not a device" in text


def test_markup_in_a_title_is_text() -> None:
    assert "[b]low[/b] dose is likely better" in printed(recommendation_panel(ADVICE))


def test_the_headline_comes_first() -> None:
    text = printed(recommendation_panel(ADVICE))
    assert text.index("is likely better") < text.index("of 100")


def test_callouts_are_lines_before_it() -> None:
    (line,) = callout_lines(ADVICE)
    assert "Given but not used: drug x." in line


def test_a_forecast_has_every_target_with_its_window() -> None:
    text = printed(forecast_panel(FORECAST, STUDY, ""))
    assert "thyroid in 365 days 12.0% 8.0% to 17.0%" in text
    assert "weight day 30 to 90 80.0 kg 78.0 to 82.0 70.0 to 90.0" in text
    assert "death by day 30 1.0% 0.0% to 2.0%" in text


def test_a_forecast_without_an_error_estimate_has_no_interval() -> None:
    value = replace(FORECAST.progression[0], found_low=None, found_high=None)
    text = printed(forecast_panel(replace(FORECAST, progression=(value,)), STUDY, ""))
    assert "78.0 to 82.0 not known" in text


def test_totals_leave_out_an_unknown_observed_mean() -> None:
    text = printed(totals_table([("thyroid", 0.125, 0.25), ("death", 0.5, None)], 1200))
    assert "1,200 decisions" in text
    assert "thyroid │ 0.125 │ 0.25" in text
    assert "death │ 0.5 │ -" in text
