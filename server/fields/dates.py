"""HTTP-date, written and read (RFC 9110, 5.6.7). Pure, but a two-digit year is read against the clock."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_YEAR = r"(?P<year>[0-9]{4})"
_DAY = r"(?P<day>[0-9]{2})"
_DAY_NAME = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY_NAME = r"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"

_IMF_FIXDATE = re.compile(rf"{_DAY_NAME}, {_DAY} {_MONTH} {_YEAR} {_TIME} GMT")
_RFC850_DATE = re.compile(rf"{_LONG_DAY_NAME}, {_DAY}-{_MONTH}-(?P<short_year>[0-9]{{2}}) {_TIME} GMT")
_ASCTIME_DATE = re.compile(rf"{_DAY_NAME} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} {_YEAR}")

_LEAP_SECOND = 60


def format_http_date(moment: datetime) -> str:
    """IMF-fixdate, the one form a sender may produce; fractions of a second are cut off.

    :raises ValueError: `moment` is naive.
    """
    if moment.tzinfo is None:
        raise ValueError("an HTTP-date needs an aware datetime")
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def parse_http_date(value: str, *, now: datetime | None = None) -> datetime | None:
    """The moment meant by an HTTP-date in any of its three forms, in UTC, or None when it is none.

    Case matters, as 5.6.7 says. The day name must be one, but need not agree with the date. A leap second
    counts as the second after it. `now` decides the century of a two-digit year; it is the clock's when not
    given.
    """
    if match := _IMF_FIXDATE.fullmatch(value) or _ASCTIME_DATE.fullmatch(value):
        return _moment(match, int(match["year"]))
    if match := _RFC850_DATE.fullmatch(value):
        return _moment_of_short_year(match, now or datetime.now(UTC))
    return None


def _moment_of_short_year(match: re.Match[str], now: datetime) -> datetime | None:
    """Of the years that end so, the latest that puts the date no more than 50 years ahead of `now`."""
    limit = now.astimezone(UTC).year + 50
    year = limit - (limit - int(match["short_year"])) % 100
    moment = _moment(match, year)
    if year == limit and moment is not None and _within_year(moment) > _within_year(now.astimezone(UTC)):
        return _moment(match, year - 100)
    return moment


def _within_year(moment: datetime) -> tuple[int, int, int, int, int]:
    return moment.month, moment.day, moment.hour, moment.minute, moment.second


def _moment(match: re.Match[str], year: int) -> datetime | None:
    month = _MONTHS.index(match["month"]) + 1
    second = int(match["second"])
    leap = second == _LEAP_SECOND
    try:
        moment = datetime(
            year,
            month,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            second - leap,
            tzinfo=UTC,
        )
        return moment + timedelta(seconds=leap)
    except (ValueError, OverflowError):
        return None
