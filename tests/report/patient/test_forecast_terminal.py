from dataclasses import replace
from io import StringIO

from rich.console import Console, RenderableType

from posology.domain.forecast import (
    DiagnosisForecast,
    Forecast,
    ProgressionForecast,
    TimeToEventForecast,
)
from posology.report.patient.forecast_terminal import forecast_panel, totals_table
from tests.builders.small_cohorts import STUDY

FORECAST = Forecast(
    diagnosis=(DiagnosisForecast("thyroid", 0.0, 365.0, 0.12),),
    progression=(ProgressionForecast("weight", 30.0, 90.0, "kg", 80.0, 70.0, 90.0),),
    time_to_event=(TimeToEventForecast("death", (30.0, 60.0), (0.01, 0.02)),),
)


def printed(body: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=120).print(body)
    return " ".join(out.getvalue().split())


def test_a_forecast_has_every_target_with_its_window() -> None:
    text = printed(forecast_panel(FORECAST, STUDY, ""))
    assert "thyroid in 365 days 12.0%" in text
    assert "weight day 30 to 90 80.0 kg 70.0 to 90.0" in text
    assert "death by day 30 1.0%" in text
    assert "by day 60 2.0%" in text
    assert "embers" not in text


def test_a_forecast_without_an_error_estimate_has_no_interval() -> None:
    value = replace(FORECAST.progression[0], low=None, high=None)
    text = printed(forecast_panel(replace(FORECAST, progression=(value,)), STUDY, ""))
    assert "80.0 kg not known" in text


def test_a_small_value_keeps_its_digits() -> None:
    value = ProgressionForecast("troponin", 0.0, 2.0, "ng/mL", 0.0132, 0.009, 0.031)
    text = printed(forecast_panel(replace(FORECAST, progression=(value,)), STUDY, ""))
    assert "0.013 ng/mL 0.009 to 0.031" in text
    alone = replace(value, low=None, high=None)
    text = printed(forecast_panel(replace(FORECAST, progression=(alone,)), STUDY, ""))
    assert "0.013 ng/mL not known" in text


def test_totals_leave_out_an_unknown_observed_mean() -> None:
    text = printed(totals_table([("thyroid", 0.125, 0.25), ("death", 0.5, None)], 1200))
    assert "1,200 decisions" in text
    assert "thyroid │ 0.125 │ 0.25" in text
    assert "death │ 0.5 │ -" in text
