"""Lines of the page's parts."""

from dataclasses import replace

import pytest

from posology.domain.recommendation.recommendation import DOSE_ONLY
from posology.report.patient.sections import certainty_lines, looked_rows
from tests.builders.recommendations import ADVICE_BY_STATE


@pytest.mark.parametrize(
    ("distance", "text"),
    [
        (0.92, "More unusual than 92 of 100 patients that it learned from."),
        (0.999, "More unusual than nearly all patients that it learned from."),
        (0.001, "More usual than nearly all patients that it learned from."),
    ],
)
def test_how_unusual_a_patient_is(distance: float, text: str) -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    sure = replace(advice.certainty, distance=distance, outside=(), is_outside_training=False)
    assert text in [line.text for line in certainty_lines(replace(advice, certainty=sure))]


def test_where_the_model_looked_has_dates_as_the_rest_of_the_page() -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    why = replace(advice.why, attention=(("birth", 0.6), ("2024-10-04", 0.4)))
    rows = looked_rows(replace(advice, why=why))
    assert [(row.step, row.share) for row in rows] == [("Birth", "60 %"), ("04-Oct-2024", "40 %")]
