"""Content-Disposition: safe whatever the name (RFC 6266, RFC 8187)."""

import re
import unicodedata
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.disposition import INLINE_TYPES, Disposition, content_disposition, may_inline

FIELD = re.compile(
    r'attachment; filename="(?P<fallback>[ !#$&-.0-\[\]-~]+)"'
    r"; filename\*=UTF-8''(?P<name>(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+)"
)


def _names(filename: str) -> tuple[str, str]:
    """The fallback and the decoded full name; the field must have exactly the expected form."""
    match = FIELD.fullmatch(content_disposition(filename, Disposition.ATTACHMENT))
    assert match is not None
    return match["fallback"], unquote(match["name"], errors="strict")


@pytest.mark.parametrize(
    ("filename", "fallback", "name"),
    [
        pytest.param("report.pdf", "report.pdf", "report.pdf", id="plain"),
        pytest.param("a b.txt", "a b.txt", "a b.txt", id="space"),
        pytest.param("it's; a=b, (1).txt", "it's; a=b, (1).txt", "it's; a=b, (1).txt", id="delimiters"),
        pytest.param(".profile", ".profile", ".profile", id="first dot"),
        pytest.param("\u20ac rates.txt", "_ rates.txt", "\u20ac rates.txt", id="euro sign of RFC 6266"),
        pytest.param("r\u00e9sum\u00e9.pdf", "resume.pdf", "r\u00e9sum\u00e9.pdf", id="accents"),
        pytest.param("e\u0301.pdf", "e.pdf", "e\u0301.pdf", id="combining accent"),
        pytest.param("\u6587\u4ef6.zip", "__.zip", "\u6587\u4ef6.zip", id="Chinese"),
        pytest.param("\U0001f600.png", "_.png", "\U0001f600.png", id="emoji"),
        pytest.param('a"b.txt', "a_b.txt", 'a"b.txt', id="quote"),
        pytest.param(
            'x"; filename="y.exe', "x_; filename=_y.exe", 'x"; filename="y.exe', id="second filename"
        ),
        pytest.param("100%41.txt", "100_41.txt", "100%41.txt", id="percent escape"),
        pytest.param("a/b\\c.txt", "a_b_c.txt", "a_b_c.txt", id="separators"),
        pytest.param("../../etc/passwd", ".._.._etc_passwd", ".._.._etc_passwd", id="path"),
        pytest.param("\uff0e\uff0f\uff02x", "._" + "_x", "\uff0e\uff0f\uff02x", id="fullwidth . / and quote"),
        pytest.param("\u2100.txt", "a_c.txt", "\u2100.txt", id="a sign that decomposes to a slash"),
        pytest.param("a\r\nSet-Cookie: b=c", "aSet-Cookie: b=c", "aSet-Cookie: b=c", id="CR LF"),
        pytest.param("a\x00\x1b\x7f\x85b", "ab", "ab", id="controls"),
        pytest.param("a\u2028b\u2029c", "abc", "abc", id="line separators"),
        pytest.param("exe.\u202egnp.scr", "exe.gnp.scr", "exe.gnp.scr", id="right-to-left override"),
        pytest.param("a\u2066b\u2069\u200f\u061cc", "abc", "abc", id="isolates and marks"),
        pytest.param("a\ud800b\udfff.txt", "ab.txt", "ab.txt", id="lone surrogates"),
        pytest.param("x.txt. . ", "x.txt", "x.txt", id="final dots and spaces"),
        pytest.param("  x.txt", "x.txt", "x.txt", id="first spaces"),
        pytest.param("\u0301", "download", "\u0301", id="only an accent"),
        pytest.param("\u2025", "download", "\u2025", id="a sign that decomposes to two dots"),
        pytest.param("", "download", "download", id="empty"),
        pytest.param(" \t", "download", "download", id="blank"),
        pytest.param(".", "download", "download", id="dot"),
        pytest.param("..", "download", "download", id="two dots"),
        pytest.param("\r\n\u202e\ud800", "download", "download", id="nothing left"),
    ],
)
def test_both_forms_of_the_name_are_safe(filename: str, fallback: str, name: str) -> None:
    assert _names(filename) == (fallback, name)


def test_the_whole_field() -> None:
    assert content_disposition("na\u00efve file.txt", Disposition.INLINE) == (
        "inline; filename=\"naive file.txt\"; filename*=UTF-8''na%C3%AFve%20file.txt"
    )


any_name = st.text() | st.text('/\\"%.; \r\n\x00\u202e\ud800\u2100\uff02\xe9a')


@settings(deadline=None)
@given(any_name)
def test_any_name_gives_a_well_formed_field(filename: str) -> None:
    fallback, name = _names(filename)
    for form in (fallback, name):
        assert not set(form) & set("/\\\r\n\x00")
        assert not form.endswith((".", " "))
        assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in form)
        assert all(unicodedata.bidirectional(char) not in BIDI_CONTROLS for char in form)


BIDI_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@settings(deadline=None)
@given(any_name)
def test_a_name_that_was_made_safe_stays_as_it_is(filename: str) -> None:
    _, name = _names(filename)
    assert _names(name)[1] == name


@pytest.mark.parametrize("content_type", sorted(INLINE_TYPES))
def test_harmless_types_may_be_shown(content_type: str) -> None:
    assert may_inline(content_type)


@pytest.mark.parametrize(
    "content_type", ["Text/PLAIN", "text/plain; charset=utf-8", 'image/png;x="text/html"']
)
def test_case_and_parameters_do_not_matter(content_type: str) -> None:
    assert may_inline(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text",
        "text/html",
        "text/html; x=text/plain",
        "text/xml",
        "text/css",
        "text/javascript",
        "application/javascript",
        "application/json",
        "application/octet-stream",
        "application/pdf",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
        "multipart/x-mixed-replace",
        "text/plain, text/html",
        "text/plain\n",
        "text/plain\r\nx: y",
        " text/plain",
        "text/plainx",
        "text/*",
    ],
)
def test_everything_else_is_saved(content_type: str) -> None:
    assert not may_inline(content_type)


def test_no_type_a_browser_runs_is_on_the_list() -> None:
    assert not [
        name for name in INLINE_TYPES if re.search(r"html|svg|xml|pdf|script|css|json|application", name)
    ]
