"""Preconditions: the order of RFC 9110, 13.2.2, and If-Range."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.conditions import Conditions, Outcome, Validators, evaluate, range_applies
from server.fields.dates import format_http_date

MODIFIED = datetime(2026, 11, 15, 12, 0, 0, tzinfo=UTC)
VALIDATORS = Validators('"now"', MODIFIED)

AT = format_http_date(MODIFIED)
BEFORE = format_http_date(MODIFIED - timedelta(seconds=1))
AFTER = format_http_date(MODIFIED + timedelta(seconds=1))
NO_DATE = "last Tuesday"

P, N, F = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.PRECONDITION_FAILED


@pytest.mark.parametrize(
    ("sent", "on_get", "on_delete"),
    [
        pytest.param({}, P, P, id="none"),
        # Step 1
        pytest.param({"if-match": '"now"'}, P, P, id="If-Match, same"),
        pytest.param({"if-match": '"old"'}, F, F, id="If-Match, other"),
        pytest.param({"if-match": '"old", "now"'}, P, P, id="If-Match, one of two"),
        pytest.param({"if-match": 'W/"now"'}, F, F, id="If-Match compares strongly"),
        pytest.param({"if-match": "*"}, P, P, id="If-Match, any"),
        pytest.param({"if-match": ""}, F, F, id="If-Match, empty list"),
        pytest.param({"if-match": "now"}, F, F, id="If-Match, malformed"),
        pytest.param({"if-match": '"now", *'}, F, F, id="If-Match, star in a list"),
        pytest.param({"if-match": '"now", "old'}, F, F, id="If-Match, malformed after a match"),
        # Step 2
        pytest.param({"if-unmodified-since": AT}, P, P, id="If-Unmodified-Since, same second"),
        pytest.param({"if-unmodified-since": AFTER}, P, P, id="If-Unmodified-Since, later"),
        pytest.param({"if-unmodified-since": BEFORE}, F, F, id="If-Unmodified-Since, earlier"),
        pytest.param({"if-unmodified-since": NO_DATE}, P, P, id="If-Unmodified-Since, no date"),
        pytest.param({"if-unmodified-since": f"{BEFORE}, {BEFORE}"}, P, P, id="If-Unmodified-Since, two"),
        pytest.param(
            {"if-match": '"now"', "if-unmodified-since": BEFORE}, P, P, id="If-Match is first, true"
        ),
        pytest.param(
            {"if-match": '"old"', "if-unmodified-since": AFTER}, F, F, id="If-Match is first, false"
        ),
        # Step 3
        pytest.param({"if-none-match": '"now"'}, N, F, id="If-None-Match, same"),
        pytest.param({"if-none-match": '"old"'}, P, P, id="If-None-Match, other"),
        pytest.param({"if-none-match": '"old", "now"'}, N, F, id="If-None-Match, one of two"),
        pytest.param({"if-none-match": 'W/"now"'}, N, F, id="If-None-Match compares weakly"),
        pytest.param({"if-none-match": "*"}, N, F, id="If-None-Match, any"),
        pytest.param({"if-none-match": ""}, P, P, id="If-None-Match, empty list"),
        pytest.param({"if-none-match": "now"}, P, P, id="If-None-Match, malformed"),
        pytest.param({"if-none-match": '"a,b", "now"'}, N, F, id="If-None-Match, comma within a tag"),
        # Step 4
        pytest.param({"if-modified-since": AT}, N, P, id="If-Modified-Since, same second"),
        pytest.param({"if-modified-since": AFTER}, N, P, id="If-Modified-Since, later"),
        pytest.param({"if-modified-since": BEFORE}, P, P, id="If-Modified-Since, earlier"),
        pytest.param({"if-modified-since": NO_DATE}, P, P, id="If-Modified-Since, no date"),
        pytest.param({"if-modified-since": f"{AFTER}, {AFTER}"}, P, P, id="If-Modified-Since, two"),
        pytest.param(
            {"if-none-match": '"old"', "if-modified-since": AFTER}, P, P, id="If-None-Match is first, new"
        ),
        pytest.param(
            {"if-none-match": '"now"', "if-modified-since": BEFORE}, N, F, id="If-None-Match is first, old"
        ),
        pytest.param(
            {"if-none-match": "now", "if-modified-since": AFTER}, P, P, id="If-None-Match is first, bad"
        ),
        # Steps 1 and 2 before 3 and 4
        pytest.param({"if-match": '"old"', "if-none-match": '"now"'}, F, F, id="412 before 304"),
        pytest.param({"if-match": '"now"', "if-none-match": '"now"'}, N, F, id="both named"),
        pytest.param(
            {"if-unmodified-since": BEFORE, "if-modified-since": AFTER}, F, F, id="dates, 412 before 304"
        ),
        pytest.param(
            {"if-unmodified-since": AT, "if-modified-since": AT}, N, P, id="dates, both the same second"
        ),
        # Step 5 is not ours to take
        pytest.param({"if-range": '"old"'}, P, P, id="If-Range does not matter here"),
    ],
)
def test_preconditions_are_evaluated_in_the_order_of_13_2_2(
    sent: dict[str, str], on_get: Outcome, on_delete: Outcome
) -> None:
    conditions = Conditions.from_headers(sent)
    assert evaluate(conditions, VALIDATORS, "GET") is on_get
    assert evaluate(conditions, VALIDATORS, "HEAD") is on_get
    assert evaluate(conditions, VALIDATORS, "DELETE") is on_delete
    assert evaluate(conditions, VALIDATORS, "PUT") is on_delete


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
def test_methods_without_a_representation_have_no_preconditions(method: str) -> None:
    assert evaluate(Conditions(if_match='"old"', if_none_match="*"), VALIDATORS, method) is P


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"]
)
def test_dates_may_come_in_any_of_the_three_forms(form: str) -> None:
    sent = MODIFIED.strftime(form)
    assert evaluate(Conditions(if_modified_since=sent), VALIDATORS, "GET") is N
    assert range_applies(Conditions(if_range=sent), VALIDATORS)


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        pytest.param(None, True, id="not sent"),
        pytest.param('"now"', True, id="same tag"),
        pytest.param('"old"', False, id="other tag"),
        pytest.param('W/"now"', False, id="weak tag"),
        pytest.param("now", False, id="no quotes"),
        pytest.param('"now', False, id="open quote"),
        pytest.param('xx"now"', False, id="tag at the end"),
        pytest.param('"now", "now"', False, id="two tags"),
        pytest.param("*", False, id="star"),
        pytest.param("", False, id="empty"),
        pytest.param(AT, True, id="same date"),
        pytest.param(BEFORE, False, id="earlier date"),
        pytest.param(AFTER, False, id="later date: it must be exact"),
        pytest.param(NO_DATE, False, id="no date"),
    ],
)
def test_a_range_applies_when_if_range_names_this_very_version(
    if_range: str | None, *, applies: bool
) -> None:
    assert range_applies(Conditions(if_range=if_range), VALIDATORS) is applies


def test_conditions_are_read_by_lowercase_name() -> None:
    names = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range")
    assert Conditions.from_headers({name: name for name in names}) == Conditions(*names)
    assert Conditions.from_headers({"host": "example"}) == Conditions()


@pytest.mark.parametrize("etag", ['W/"weak"', "bare", "", '"open', '"a", "b"', '"new\nline"', "*"])
def test_validators_take_only_a_strong_tag(etag: str) -> None:
    with pytest.raises(ValueError, match="not a strong entity tag"):
        Validators(etag, MODIFIED)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(MODIFIED.replace(tzinfo=None), id="naive"),
        pytest.param(MODIFIED.replace(microsecond=1), id="fraction"),
        pytest.param(MODIFIED.astimezone(timezone(timedelta(hours=1))), id="not UTC"),
    ],
)
def test_validators_take_only_whole_seconds_of_utc(moment: datetime) -> None:
    with pytest.raises(ValueError, match="not a UTC time"):
        Validators('"now"', moment)


values = st.none() | st.text() | st.sampled_from(['"now"', 'W/"now"', '"old"', "*", AT, BEFORE, AFTER])


@settings(deadline=None)
@given(st.builds(Conditions, values, values, values, values, values), st.sampled_from(["GET", "HEAD", "PUT"]))
def test_any_fields_have_an_outcome_and_only_reads_are_304(conditions: Conditions, method: str) -> None:
    outcome = evaluate(conditions, VALIDATORS, method)
    assert outcome is not N or method != "PUT"
    assert range_applies(conditions, VALIDATORS) in (True, False)
