from dataclasses import replace
from io import StringIO

from rich.console import Console, RenderableType

from posology.domain.forecast import (
    DiagnosisForecast,
    Forecast,
    ProgressionForecast,
    TimeToEventForecast,
)
from posology.domain.recommendation.ranking import DoseAdvice, Option, Reason, Recommendation
from posology.report.patient.terminal import forecast_panel, recommendation_panel, totals_table
from tests.builders.small_cohorts import STUDY

ADVICE = Recommendation(
    study="made_up",
    options=(
        Option("low", "[b]low[/b] dose", 0.9, 0.81, 0.72, 0.88, 14.5, "mg/week", True),
        Option("high", "high dose", 0.1, 0.0, 0.0, 0.0, None, None, False),
    ),
    dose=DoseAdvice(14.5, 14.62, 12.0, 17.0, "mg/week", (9.0, 21.0)),
    benefit=0.81,
    reasons=(Reason("GENOTYPE//CYP2C9", "genotype CYP2C9", 0.5, None),),
    attention=(("static facts", 1.0),),
    unknown=("WEIGHT",),
    ignored=("DRUG//x",),
    warnings=(),
    abstain=None,
)
FORECAST = Forecast(
    diagnosis=(DiagnosisForecast("thyroid", 0.0, 365.0, 0.12, 0.08, 0.17),),
    progression=(ProgressionForecast("weight", 30.0, 90.0, "kg", 80.0, 78.0, 82.0, 70.0, 90.0),),
    time_to_event=(
        TimeToEventForecast("death", (30.0, 60.0), (0.01, 0.02), (0.0, 0.01), (0.02, 0.03)),
    ),
)


def printed(body: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=100).print(body)
    return " ".join(out.getvalue().split())


def test_a_recommendation_lists_options_dose_reasons_and_unknown_facts() -> None:
    text = printed(recommendation_panel(ADVICE, STUDY, "0123456789abcdef"))
    assert "P(effective)" in text
    assert "81% 72% to 88% 14.5 mg/week 90%" in text
    assert "high dose (forbidden)" in text
    assert "Dose: 14.5 mg/week (model 14.6; 95 % of its members between 12.0 and 17.0)" in text
    assert "90 % prediction interval of the correct dose: 9 to 21 mg/week" in text
    assert "genotype CYP2C9 +0.50" in text
    assert "Unknown for this patient: weight" in text
    assert "Not known to the model, not used: drug x" in text
    assert "model 0123456789ab · decision support, not a device" in text


def test_markup_in_a_title_is_text() -> None:
    assert "[b]low[/b] dose" in printed(recommendation_panel(ADVICE, STUDY, ""))


def test_abstention_comes_first_with_its_reason() -> None:
    advice = replace(ADVICE, abstain="The members disagree.")
    text = printed(recommendation_panel(advice, STUDY, ""))
    assert "No recommendation. The members disagree." in text
    assert text.index("No recommendation.") < text.index("P(effective)")


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
