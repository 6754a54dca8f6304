"""Times as the store writes them."""

import datetime


def now() -> datetime.datetime:
    """This moment, in UTC."""
    return datetime.datetime.now(datetime.UTC)


def to_text(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC to the microsecond, always of one length: it sorts as text."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_moment(text: str) -> datetime.datetime:
    """The moment of such a text."""
    return datetime.datetime.fromisoformat(text)
