"""Ages by the calendar: a patient is 65 from the 65th birthday on."""

import datetime

import numpy as np
from jaxtyping import Float64

YEAR_DAYS = 365.25
"""Of a part of a year."""


def completed_years(birth: datetime.datetime, at: datetime.datetime) -> int:
    """Whole years since birth; below 0 if it lies ahead."""
    is_before = (at.month, at.day) < (birth.month, birth.day)
    return at.year - birth.year - is_before


def birth_of_age(years: float, at: datetime.datetime) -> datetime.datetime:
    """A time of birth that makes a patient so old; of whole years, a birthday."""
    whole = int(years)
    day = 28 if (at.month, at.day) == (2, 29) else at.day  # 65 years before there may be no 29th
    birthday = at.replace(year=at.year - whole, day=day)
    return birthday - datetime.timedelta(days=(years - whole) * YEAR_DAYS)


def day_of_age(years: float, at: float) -> float:
    """The time of birth in days since 1970-01-01, as `at` is."""
    epoch, day = datetime.datetime(1970, 1, 1), datetime.timedelta(days=1)  # noqa: DTZ001
    return (birth_of_age(years, epoch + at * day) - epoch) / day


def ages(
    birth: Float64[np.ndarray, " decision"], at: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, " decision"]:
    """Completed years, and the part of the year since the last birthday; NaN where unknown.

    Args:
        birth: in days since 1970-01-01.
        at: likewise.
    """
    known = ~np.isnan(birth) & ~np.isnan(at)
    born, now = (np.where(known, np.floor(x), 0).astype("datetime64[D]") for x in (birth, at))
    years = now.astype("datetime64[Y]") - born.astype("datetime64[Y]")
    years -= (_birthday(born, years) > now).astype(np.int64)
    last, following = _birthday(born, years), _birthday(born, years + 1)
    return np.where(known, years.astype(float) + (now - last) / (following - last), np.nan)


def _birthday(born: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Of 29 February in a common year, 1 March."""
    month = born.astype("datetime64[M]")
    day = born - month.astype("datetime64[D]")
    moved = (month.astype("datetime64[Y]") + years).astype("datetime64[M]")
    month_of_year = month - month.astype("datetime64[Y]").astype("datetime64[M]")
    return (moved + month_of_year).astype("datetime64[D]") + day
