"""multipart/byteranges: the very bytes, and their exact number (RFC 9110, 14.6)."""

from email import message_from_bytes, policy
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.byteranges import MultipartPlan
from server.fields.ranges import Span

FILE = bytes(range(256)) * 4
BOUNDARY = "THIS_STRING_SEPARATES"


def _body(plan: MultipartPlan, file: bytes) -> bytes:
    parts = (part.header + file[part.span.start : part.span.stop] for part in plan.parts)
    return b"".join(parts) + plan.closing


def test_the_bytes_are_these() -> None:
    plan = MultipartPlan.build(
        [Span(0, 3), Span(7, 9)], size=10, content_type="text/plain", boundary=BOUNDARY
    )
    assert _body(plan, b"0123456789") == (
        b"--THIS_STRING_SEPARATES\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Range: bytes 0-2/10\r\n"
        b"\r\n"
        b"012\r\n"
        b"--THIS_STRING_SEPARATES\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Range: bytes 7-8/10\r\n"
        b"\r\n"
        b"78\r\n"
        b"--THIS_STRING_SEPARATES--\r\n"
    )
    assert plan.length == len(_body(plan, b"0123456789"))


def test_the_boundary_goes_without_quotes() -> None:
    plan = MultipartPlan.build([Span(0, 1)], size=1, content_type="a/b", boundary=BOUNDARY)
    assert plan.content_type == "multipart/byteranges; boundary=THIS_STRING_SEPARATES"


def test_the_length_needs_no_body() -> None:
    span = Span(0, 2**60)
    plan = MultipartPlan.build([span], size=2**61, content_type="a/b", boundary=BOUNDARY)
    assert plan.length == len(plan.parts[0].header) + 2**60 + len(plan.closing)


@pytest.mark.parametrize(
    "boundary",
    [
        pytest.param("", id="empty"),
        pytest.param("a b", id="space"),
        pytest.param("a:b", id="needs quotes"),
        pytest.param('a"b', id="quote"),
        pytest.param("a\r\nb", id="line end"),
        pytest.param("a\n", id="final newline"),
        pytest.param("\xe4", id="not ASCII"),
        pytest.param("a" * 71, id="longer than RFC 2046 allows"),
    ],
)
def test_a_boundary_that_would_need_quotes_is_refused(boundary: str) -> None:
    with pytest.raises(ValueError, match="not a boundary"):
        MultipartPlan.build([Span(0, 1)], size=1, content_type="a/b", boundary=boundary)


@pytest.mark.parametrize("content_type", ["", "text", "a/b\r\nX: y", "a/b\r\n\r\n<script>"])
def test_a_type_that_is_none_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="not a media type"):
        MultipartPlan.build([Span(0, 1)], size=1, content_type=content_type, boundary=BOUNDARY)


def test_no_spans_are_refused() -> None:
    with pytest.raises(ValueError, match="needs a span"):
        MultipartPlan.build([], size=1, content_type="a/b", boundary=BOUNDARY)


spans_of_file = st.lists(
    st.lists(st.integers(0, len(FILE)), min_size=2, max_size=2, unique=True).map(
        lambda ends: Span(min(ends), max(ends))
    ),
    min_size=1,
    max_size=20,
)


@settings(deadline=None)
@given(spans_of_file)
def test_another_parser_reads_the_plan_back(spans: list[Span]) -> None:
    plan = MultipartPlan.build(spans, size=len(FILE), content_type="image/png", boundary=BOUNDARY)
    body = _body(plan, FILE)
    assert len(body) == plan.length
    head = f"Content-Type: {plan.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body, policy=policy.HTTP)
    assert not message.defects
    assert not message.preamble
    parts = list(message.iter_parts())
    assert [part["Content-Range"] for part in parts] == [span.content_range(len(FILE)) for span in spans]
    assert {part.get_content_type() for part in parts} == {"image/png"}


@settings(deadline=None)
@given(spans_of_file)
def test_bodies_lie_between_the_delimiters(spans: list[Span]) -> None:
    plan = MultipartPlan.build(spans, size=len(FILE), content_type="a/b", boundary=BOUNDARY)
    delimiter = b"\r\n--" + BOUNDARY.encode()
    pieces = (b"\r\n" + _body(plan, FILE)).split(delimiter)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    bodies = [piece.split(b"\r\n\r\n", 1)[1] for piece in pieces[1:-1]]
    assert bodies == [FILE[span.start : span.stop] for span in spans]


def test_parts_follow_the_order_of_the_spans() -> None:
    spans = [Span(5, 6), Span(0, 1), Span(3, 4)]
    plan = MultipartPlan.build(spans, size=10, content_type="a/b", boundary=BOUNDARY)
    assert [part.span for part in plan.parts] == spans
    assert all(left != right for left, right in pairwise(part.header for part in plan.parts))
