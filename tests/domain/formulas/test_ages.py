"""Ages change on birthdays, which days divided by 365.25 miss by a day in three of four years."""

import datetime

import numpy as np
import pytest

from posology.domain.formulas.ages import ages, birth_of_age, completed_years
from posology.domain.safety_rules.facts import CLEAR, MET, VisibleFacts, fact_status
from posology.domain.safety_rules.rule import Fact

EPOCH = datetime.date(1970, 1, 1)


def days(*dates: datetime.date) -> np.ndarray:
    return np.array([float((date - EPOCH).days) for date in dates])


def visible(birth: np.ndarray, at: np.ndarray) -> VisibleFacts:
    """Patients of whom the date of birth alone is known."""
    return VisibleFacts(
        at,
        lambda _: np.ones(len(at), bool),
        lambda _: np.full(len(at), np.nan),
        lambda *_: at - birth,
    )


@pytest.mark.parametrize("years", [1, 18, 65, 75])
def test_a_rule_on_age_holds_from_the_birthday_on(years: int) -> None:
    births = [datetime.date(1940, 1, 1) + datetime.timedelta(days=97 * i) for i in range(60)]
    births = [born for born in births if (born.month, born.day) != (2, 29)]
    birthdays = days(*(born.replace(year=born.year + years) for born in births))
    fact = Fact(("MEDS_BIRTH",), at_least=float(years), is_age=True)
    assert (fact_status(visible(days(*births), birthdays), fact) == MET).all()
    assert (fact_status(visible(days(*births), birthdays + 0.99), fact) == MET).all()
    assert (fact_status(visible(days(*births), birthdays - 0.01), fact) == CLEAR).all()


def test_ages_are_completed_years_and_a_part_of_one() -> None:
    rng = np.random.default_rng(0)
    birth = np.sort(rng.uniform(-30_000, 20_000, 400))
    at = birth + rng.uniform(0, 40_000, 400)
    found = ages(birth, at)
    moments = [
        [datetime.datetime(1970, 1, 1) + datetime.timedelta(days=day) for day in side.tolist()]  # noqa: DTZ001
        for side in (birth, at)
    ]
    expected = [completed_years(born, now) for born, now in zip(*moments, strict=True)]
    assert np.floor(found).tolist() == expected
    np.testing.assert_allclose(found, (at - birth) / 365.25, atol=0.01)


def test_who_is_born_on_29_february_is_a_year_older_on_1_march() -> None:
    born, year = days(datetime.date(2000, 2, 29)), datetime.date(2018, 2, 28)
    assert ages(born, days(year))[0] < 18
    assert ages(born, days(datetime.date(2018, 3, 1)))[0] == 18
    assert ages(born, days(datetime.date(2020, 2, 29)))[0] == 20


def test_an_unknown_birth_or_time_has_no_age_and_one_ahead_is_negative() -> None:
    nan = np.array([np.nan])
    assert np.isnan(ages(nan, days(EPOCH))[0])
    assert np.isnan(ages(days(EPOCH), nan)[0])
    assert -1 <= ages(days(datetime.date(2020, 6, 1)), days(datetime.date(2020, 1, 1)))[0] < 0


@pytest.mark.parametrize("years", [0.0, 0.5, 7.0, 65.0, 66.25, 100.0])
@pytest.mark.parametrize("at", [datetime.datetime(2024, 2, 29), datetime.datetime(2026, 11, 29)])  # noqa: DTZ001
def test_a_stated_age_is_read_back(years: float, at: datetime.datetime) -> None:
    birth = birth_of_age(years, at)
    assert completed_years(birth, at) == int(years)
    assert ages(days(birth.date()), days(at.date()))[0] == pytest.approx(years, abs=0.006)
