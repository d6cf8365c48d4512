"""Fields a download decides by, and names that come from outside: pure tables, hostile input."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_demo.downloads import content_url
from client_demo.file_names import printable, safe_name, suggested_name
from client_demo.response_fields import (
    ContentRange,
    parse_content_range,
    parse_sha256,
    parse_unsatisfied_range,
    strong_etag,
)

ID = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes 0-0/1", ContentRange(0, 0, 1)),
        ("bytes 5-9/10", ContentRange(5, 9, 10)),
        ("BYTES 5-9/10", ContentRange(5, 9, 10)),
        ("bytes 9-5/10", None),
        ("bytes 5-10/10", None),
        ("bytes 5-9/*", None),
        ("bytes */10", None),
        ("bytes=5-9/10", None),
        ("lines 5-9/10", None),
        ("bytes \u0665-\u0669/10", None),
        ("bytes 0-1/" + "9" * 20, None),
        ("", None),
        (None, None),
    ],
)
def test_content_range(value: str | None, expected: ContentRange | None) -> None:
    assert parse_content_range(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("bytes */10", 10), ("bytes */0", 0), ("bytes */*", None), ("bytes 0-1/2", None), (None, None)],
)
def test_unsatisfied_range(value: str | None, expected: int | None) -> None:
    assert parse_unsatisfied_range(value) == expected


@pytest.mark.parametrize(
    ("value", "strong"),
    [('"a"', True), ('""', True), ('W/"a"', False), ("a", False), ('"', False), ("", False), (None, False)],
)
def test_only_a_strong_etag_vouches_for_bytes(value: str | None, strong: bool) -> None:
    assert strong_etag(value) == (value if strong else None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("sha-256=:" + "A" * 43 + "=:", "00" * 32),
        ("sha-512=:AAAA:, sha-256=:" + "A" * 43 + "=:", "00" * 32),
        ("sha-256=:AAAA:", None),
        ("sha-256=:" + "A" * 42 + ":", None),
        ("x-sha-256=:" + "A" * 43 + "=:", None),
        ("sha-256=abc", None),
        (None, None),
    ],
)
def test_repr_digest(value: str | None, expected: str | None) -> None:
    assert parse_sha256(value) == expected


@pytest.mark.parametrize(
    ("disposition", "url", "name"),
    [
        ('attachment; filename="a.txt"', "", "a.txt"),
        ("attachment; filename=a.txt", "", "a.txt"),
        ('attachment; filename="a \\"b\\".txt"', "", 'a "b".txt'),
        ("attachment; filename=\"a.txt\"; filename*=UTF-8''%C3%A4.txt", "", "ä.txt"),
        ("attachment; filename*=utf-8'en'%E2%82%AC%20rates", "", "€ rates"),
        (None, f"http://host/files/{ID}/content/b%20c.txt", "b c.txt"),
        (None, f"http://host/files/{ID}/content", ID),
        (None, "http://host/b/..%2Fc", "c"),
        (None, "http://host/", "download"),
        ("inline", "http://host/d.bin?x=/y", "d.bin"),
    ],
)
def test_the_name_comes_from_the_field_else_from_the_address(
    disposition: str | None, url: str, name: str
) -> None:
    assert suggested_name(disposition, url) == name


@given(st.text(max_size=400))
def test_a_safe_name_is_one_visible_segment_that_fits(name: str) -> None:
    safe = safe_name(name)

    assert safe not in {"", ".", ".."}
    assert not safe.startswith(".")
    assert not {"/", "\\", "\0", "\n", "\u202e"}.intersection(safe)
    assert len(f"{safe}.part.json.new".encode()) <= 255
    assert safe_name(safe) == safe


def test_a_long_name_keeps_its_suffix() -> None:
    assert safe_name("ä" * 300 + ".tar") == "ä" * 113 + ".tar"


@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    assert not any(unicodedata.category(character) == "Cc" for character in printable(text))


@pytest.mark.parametrize(
    ("what", "url"),
    [
        (ID, f"http://host/base/files/{ID}/content"),
        (f"http://other/files/{ID}", f"http://other/files/{ID}/content"),
        (f"http://other/files/{ID}/", f"http://other/files/{ID}/content"),
        (f"http://other/files/{ID}/content/n", f"http://other/files/{ID}/content/n"),
        ("http://other/x?files/y", "http://other/x?files/y"),
    ],
)
def test_what_to_fetch_is_an_id_or_an_address(what: str, url: str) -> None:
    assert content_url(what, "http://host/base/") == url
