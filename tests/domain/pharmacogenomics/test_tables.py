from datetime import date

import pytest

from posology.domain.pharmacogenomics.tables import TableVersion, find_date

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-11-05-00-25", date(2025, 11, 5)),
        ("cpic_recommendations_slim_v1.20.0_2022-09.json", date(2022, 9, 1)),
        ("v1.20.0", None),
        ("2025-02-30", None),
    ],
)
def test_dates_are_read_from_versions_and_file_names(text: str, found: date | None) -> None:
    assert find_date(text) == found


@pytest.mark.parametrize(
    ("made", "text", "stale"),
    [
        (date(2026, 11, 1), "phenotypes v1, 27 days old", False),
        (date(2022, 9, 1), "phenotypes v1, 4.2 years old", True),
        (None, "phenotypes v1, age unknown", True),
    ],
)
def test_age_is_always_stated(made: date | None, text: str, stale: bool) -> None:
    version = TableVersion("phenotypes", "v1", made, 3)
    assert version.describe(TODAY) == text
    assert version.is_stale(TODAY) == stale
