"""Times as the store writes them, and as requests may send them."""

import datetime
from typing import Annotated

from pydantic import AfterValidator


def now() -> datetime.datetime:
    """This moment, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def to_text(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC to the microsecond, always of one length: it sorts as text."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_moment(text: str) -> datetime.datetime:
    """The moment of such a text."""
    return datetime.datetime.fromisoformat(text)


def in_utc(moment: datetime.datetime) -> datetime.datetime:
    """The moment in UTC, in which it is if it names no zone; ValueError if no calendar holds it."""
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
    try:
        return known.astimezone(datetime.UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999; send a time within them") from None


UtcMoment = Annotated[datetime.datetime, AfterValidator(in_utc)]
"""A time of a request."""
