"""HTTP-date: one form written, three forms read (RFC 9110, 5.6.7)."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from time import asctime
from wsgiref.handlers import format_date_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.dates import format_http_date, parse_http_date

RFC_EXAMPLE = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
NOW = datetime(2026, 11, 15, 12, 0, 0, tzinfo=UTC)

YEAR_1000, YEAR_9999 = (datetime(year, 1, 1, tzinfo=UTC) for year in (1000, 9999))
moments = st.integers(int(YEAR_1000.timestamp()), int(YEAR_9999.timestamp())).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)


def test_writes_imf_fixdate() -> None:
    assert format_http_date(RFC_EXAMPLE) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_writes_other_zones_as_gmt() -> None:
    moment = datetime(1994, 11, 6, 13, 49, 37, tzinfo=timezone(timedelta(hours=5)))
    assert format_http_date(moment) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_cuts_fractions_off_and_does_not_round() -> None:
    assert format_http_date(RFC_EXAMPLE.replace(microsecond=999_999)) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        format_http_date(RFC_EXAMPLE.replace(tzinfo=None))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT", id="IMF-fixdate"),
        pytest.param("Sunday, 06-Nov-94 08:49:37 GMT", id="RFC 850"),
        pytest.param("Sun Nov  6 08:49:37 1994", id="asctime"),
        pytest.param("Sun Nov 06 08:49:37 1994", id="asctime with two digits"),
        pytest.param("Mon, 06 Nov 1994 08:49:37 GMT", id="wrong day name"),
    ],
)
def test_reads_all_three_forms(value: str) -> None:
    assert parse_http_date(value, now=NOW) == RFC_EXAMPLE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("0", id="number"),
        pytest.param("784111777", id="Unix time"),
        pytest.param("1994-11-06T08:49:37Z", id="RFC 3339"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 UTC", id="UTC"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 +0000", id="offset"),
        pytest.param("Sun, 06 Nov 1994 08:49:37", id="no zone"),
        pytest.param("sun, 06 nov 1994 08:49:37 gmt", id="lower case"),
        pytest.param("Sun, 6 Nov 1994 08:49:37 GMT", id="one-digit day"),
        pytest.param("06 Nov 1994 08:49:37 GMT", id="no day name"),
        pytest.param("Xyz, 06 Nov 1994 08:49:37 GMT", id="no such day name"),
        pytest.param("Sunday, 06 Nov 1994 08:49:37 GMT", id="long day name"),
        pytest.param("Sun, 06 Nox 1994 08:49:37 GMT", id="no such month"),
        pytest.param("Sun, 31 Feb 1994 08:49:37 GMT", id="no such day"),
        pytest.param("Sun, 00 Nov 1994 08:49:37 GMT", id="day zero"),
        pytest.param("Sun, 06 Nov 0000 08:49:37 GMT", id="year zero"),
        pytest.param("Sun, 06 Nov 1994 24:00:00 GMT", id="hour 24"),
        pytest.param("Sun, 06 Nov 1994 08:60:37 GMT", id="minute 60"),
        pytest.param("Sun, 06 Nov 1994 08:49:61 GMT", id="second 61"),
        pytest.param("Fri, 31 Dec 9999 23:59:60 GMT", id="past the last second of time"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT ", id="final space"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT\n", id="final newline"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT; length=5", id="parameter of old browsers"),
        pytest.param("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", id="two dates"),
        pytest.param("Sun, \u0660\u0666 Nov 1994 08:49:37 GMT", id="Arabic digits"),
        pytest.param("Sun, 06-Nov-94 08:49:37 GMT", id="RFC 850, short day name"),
        pytest.param("Sunday, 06-Nov-1994 08:49:37 GMT", id="RFC 850, long year"),
        pytest.param("Sunday, 31-Feb-94 08:49:37 GMT", id="RFC 850, no such day"),
        pytest.param("Sun Nov 6 08:49:37 1994", id="asctime, day not padded"),
        pytest.param("Sun Nov  6 08:49:37 94", id="asctime, short year"),
        pytest.param("Sun Nov  6 08:49:37 1994\n", id="asctime, final newline"),
        pytest.param("Sun, " * 200_000, id="a million characters"),
    ],
)
def test_what_is_no_http_date_is_none(value: str) -> None:
    assert parse_http_date(value, now=NOW) is None


@pytest.mark.parametrize(
    ("date", "year"),
    [
        pytest.param("15-Nov-26 12:00:00", 2026, id="now"),
        pytest.param("15-Nov-27 12:00:00", 2027, id="next year"),
        pytest.param("15-Nov-76 12:00:00", 2076, id="50 years ahead to the second"),
        pytest.param("15-Nov-76 12:00:01", 1976, id="a second more than 50 years ahead"),
        pytest.param("01-Jan-76 00:00:00", 2076, id="less than 50 years ahead, same year"),
        pytest.param("01-Jan-77 00:00:00", 1977, id="50 years ahead and more"),
        pytest.param("01-Jan-00 00:00:00", 2000, id="turn of the century"),
        pytest.param("31-Dec-99 23:59:59", 1999, id="end of the century"),
    ],
)
def test_a_short_year_is_never_more_than_50_years_ahead(date: str, year: int) -> None:
    moment = parse_http_date(f"Monday, {date} GMT", now=NOW)
    assert moment is not None
    assert moment.year == year


def test_the_century_comes_from_the_clock_when_now_is_not_given() -> None:
    today = datetime.now(UTC).replace(microsecond=0)
    assert parse_http_date(today.strftime("%A, %d-%b-%y %H:%M:%S GMT")) == today


def test_a_leap_second_is_the_second_after_it() -> None:
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == datetime(2017, 1, 1, tzinfo=UTC)


@settings(deadline=None)
@given(moments)
def test_what_is_written_reads_back_the_same(moment: datetime) -> None:
    assert parse_http_date(format_http_date(moment)) == moment


@settings(deadline=None)
@given(moments)
def test_writes_what_other_code_writes_and_reads(moment: datetime) -> None:
    assert format_http_date(moment) == format_date_time(moment.timestamp())
    assert parsedate_to_datetime(format_http_date(moment)) == moment


@settings(deadline=None)
@given(moments)
def test_reads_asctime_of_the_c_library(moment: datetime) -> None:
    assert parse_http_date(asctime(moment.timetuple())) == moment


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[A-Z][a-z]{2,8},? [0-9A-Za-z -]{7,11} [0-9:]{8} (GMT|[0-9]{4})"))
def test_any_text_is_a_utc_moment_or_none(value: str) -> None:
    moment = parse_http_date(value)
    assert moment is None or moment.tzinfo is UTC
