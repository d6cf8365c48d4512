"""Media types: what parses, what may be stored (RFC 9110, 8.3.1)."""

from email.message import Message

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.media_types import MAX_MEDIA_TYPE_LENGTH, MediaType, is_valid_media_type, parse_media_type

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("text/plain", MediaType("text", "plain"), id="plain"),
        pytest.param("Text/HTML", MediaType("text", "html"), id="types in lower case"),
        pytest.param("image/svg+xml", MediaType("image", "svg+xml"), id="suffix"),
        pytest.param("*/*", MediaType("*", "*"), id="a star is a token character"),
        pytest.param(
            "a/b;CharSet=UTF-8", MediaType("a", "b", {"charset": "UTF-8"}), id="value keeps its case"
        ),
        pytest.param("a/b \t;\t x=1 ; y=2", MediaType("a", "b", {"x": "1", "y": "2"}), id="space around ;"),
        pytest.param('a/b;x="1;y=2"', MediaType("a", "b", {"x": "1;y=2"}), id="semicolon in quotes"),
        pytest.param(r'a/b;x="a\"b\\c"', MediaType("a", "b", {"x": 'a"b\\c'}), id="quoted pairs"),
        pytest.param('a/b;x=""', MediaType("a", "b", {"x": ""}), id="empty in quotes"),
        pytest.param('a/b;x="\t\xe4"', MediaType("a", "b", {"x": "\t\xe4"}), id="tab and obs-text in quotes"),
        pytest.param("a/b;x=1;X=2", MediaType("a", "b", {"x": "1"}), id="the first of two counts"),
        pytest.param("a/b;", MediaType("a", "b"), id="empty parameter"),
        pytest.param("a/b; ;;x=1;", MediaType("a", "b", {"x": "1"}), id="empty parameters between"),
        pytest.param("a/b; ", MediaType("a", "b"), id="space after a semicolon"),
    ],
)
def test_reads(value: str, expected: MediaType) -> None:
    assert parse_media_type(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("text", id="no slash"),
        pytest.param("text/", id="no subtype"),
        pytest.param("/plain", id="no type"),
        pytest.param("text/plain/x", id="two slashes"),
        pytest.param("text /plain", id="space within"),
        pytest.param(" text/plain", id="space before"),
        pytest.param("text/plain ", id="space after"),
        pytest.param("text/plain, text/html", id="two types"),
        pytest.param("text/plain x=1", id="no semicolon"),
        pytest.param("a/b;x", id="no value"),
        pytest.param("a/b;x=", id="empty value"),
        pytest.param("a/b;=1", id="no name"),
        pytest.param("a/b;x =1", id="space before equals"),
        pytest.param("a/b;x= 1", id="space after equals"),
        pytest.param('a/b;x="1', id="open quote"),
        pytest.param('a/b;x="1\\"', id="the last quote is escaped"),
        pytest.param('a/b;x="1"2', id="after the quotes"),
        pytest.param("a/b;x='1 2'", id="single quotes do not quote"),
        pytest.param("text/plain\n", id="final newline"),
        pytest.param("text/plain\r\nSet-Cookie: a=b", id="response splitting"),
        pytest.param('a/b;x="\r\n"', id="line end in quotes"),
        pytest.param('a/b;x="\\\n"', id="escaped line end"),
        pytest.param("text/pl\x00ain", id="NUL"),
        pytest.param("t\xe4xt/plain", id="latin-1 letter"),
        pytest.param("\uff54ext/plain", id="fullwidth letter"),
        pytest.param("text/<script>", id="markup"),
    ],
)
def test_what_is_no_media_type_is_none(value: str) -> None:
    assert parse_media_type(value) is None
    assert not is_valid_media_type(value)


def test_the_essence_leaves_parameters_out() -> None:
    parsed = parse_media_type("Text/Plain; charset=utf-8")
    assert parsed is not None
    assert parsed.essence == "text/plain"


def test_media_types_can_be_members_of_sets() -> None:
    assert len({parse_media_type("a/b;x=1"), parse_media_type("A/B;X=1")}) == 1


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        pytest.param("application/octet-stream", True, id="plain"),
        pytest.param('text/plain; charset="utf-8"', True, id="parameter"),
        pytest.param("a/" + "b" * (MAX_MEDIA_TYPE_LENGTH - 2), True, id="as long as allowed"),
        pytest.param("a/" + "b" * (MAX_MEDIA_TYPE_LENGTH - 1), False, id="one longer"),
        pytest.param('a/b;x="\xe4"', False, id="not ASCII"),
    ],
)
def test_an_uploaders_type_is_short_and_ascii(value: str, *, valid: bool) -> None:
    assert is_valid_media_type(value) is valid


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a" * MEGABYTE, id="one long token"),
        pytest.param("a/b" + " " * MEGABYTE + "x", id="spaces, then garbage"),
        pytest.param("a/b" + "; " * MEGABYTE + "x", id="empty parameters, then garbage"),
        pytest.param('a/b;x="' + "\\" * MEGABYTE, id="backslashes"),
        pytest.param('a/b;x="' + '\\"' * MEGABYTE, id="escaped quotes without end"),
        pytest.param("a/b" + ";x=" * MEGABYTE, id="names without values"),
    ],
)
def test_huge_values_take_linear_time(value: str) -> None:
    assert parse_media_type(value) is None


@settings(deadline=None)
@given(st.text() | st.text('a/b;x="\\ \t=').map("a/b;".__add__))
def test_any_text_is_parsed_or_none(value: str) -> None:
    parsed = parse_media_type(value)
    assert parsed is None or parsed.essence == parsed.essence.lower()


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_quoted_values_read_as_the_standard_library_writes_them(text: str) -> None:
    message = Message()
    message.add_header("Content-Type", "a/b", x=text)
    parsed = parse_media_type(message["Content-Type"])
    if text:
        assert parsed == MediaType("a", "b", {"x": text})
