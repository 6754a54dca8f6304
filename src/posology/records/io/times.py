"""Times as sources write them, as microseconds since 1970."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from posology.errors import RecordError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (a wall clock's zero)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000
"""Microseconds of a day."""


def zone_named(name: str) -> ZoneInfo:
    """The time zone that a setting names."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RecordError(
            f"time_zone {name!r} is not a time zone; write a name of the IANA list such as "
            "'Europe/Zurich' or 'UTC'"
        ) from error


def microseconds_of(moment: datetime, zone: ZoneInfo) -> int:
    """Microseconds since 1970 on the zone's clock; a moment without a zone is on it already."""
    if moment.tzinfo is None:
        return (moment - _EPOCH) // _MICROSECOND
    if zone.key == "UTC":
        return (moment - _EPOCH_UTC) // _MICROSECOND
    try:
        return (moment.astimezone(zone).replace(tzinfo=None) - _EPOCH) // _MICROSECOND
    except OverflowError as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=65_536)
def parse_time(text: str, zone: ZoneInfo, end: bool = False) -> int:
    """Microseconds since 1970 on the clock of the zone, from ISO 8601.

    A year or a month alone means its first moment, or its last where `end` says so (what is known
    of a month is not known before it ends); a day alone its first moment, or its last with `end`.
    Raises ValueError where the text is no date.
    """
    text = text.strip()
    if len(text) == 4 and text.isdecimal():
        first, last = date(int(text), 1, 1), date(int(text), 12, 31)
    elif len(text) == 7 and text[4] == "-":
        first = date.fromisoformat(text + "-01")
        last = date(first.year + first.month // 12, first.month % 12 + 1, 1) - timedelta(days=1)
    elif len(text) == 10:
        first = last = date.fromisoformat(text)
    else:
        return microseconds_of(datetime.fromisoformat(text), zone)
    day = last if end else first
    start = (day - _EPOCH.date()).days * DAY
    return start + DAY - 1 if end else start
