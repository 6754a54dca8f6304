"""Parse times as sources write them into microseconds since 1970."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from posology.errors import RecordError

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (local time, without a zone)
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_PER_DAY = 86_400_000_000


def parse_time_zone(name: str) -> ZoneInfo:
    """The time zone of this name; raises RecordError if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RecordError(
            f"time_zone {name!r} is not a time zone; write a name of the IANA list such as "
            "'Europe/Zurich' or 'UTC'"
        ) from error


def to_microseconds(moment: datetime, zone: ZoneInfo) -> int:
    """Microseconds since 1970 in local time of the zone; a time without a zone is local already."""
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
    """Microseconds since 1970 in local time of the zone, from ISO 8601; raises ValueError.

    A year, month or day alone becomes its first moment, or with `end` its last second (a fact about
    a month is not known before the month ends).
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
        return to_microseconds(datetime.fromisoformat(text), zone)
    day = last if end else first
    start = (day - _EPOCH.date()).days * MICROSECONDS_PER_DAY
    return start + MICROSECONDS_PER_DAY - 1_000_000 if end else start
