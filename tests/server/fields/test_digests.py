"""Content-Digest: the dictionary, and the SHA-256 in it (RFC 9530; RFC 8941)."""

import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.fields.digests import InvalidDigest, parse_content_digest, repr_digest

MEGABYTE = 1_000_000
DIGEST = hashlib.sha256(b"hello").digest()
SENT = f":{base64.b64encode(DIGEST).decode()}:"
OTHER = f":{base64.b64encode(bytes(32)).decode()}:"


def test_reads_the_example_of_rfc_9530() -> None:
    digest = parse_content_digest("sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:")
    assert digest == hashlib.sha256(b'{"hello": "world"}\n').digest()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"sha-256={SENT}", id="alone"),
        pytest.param(f"  sha-256={SENT}  ", id="outer spaces"),
        pytest.param(f"sha-512=:AAAA:,sha-256={SENT}", id="after another"),
        pytest.param(f"sha-256={SENT} \t, \tmd5=:AAAA:", id="before another, with space"),
        pytest.param(f"sha-256={OTHER}, sha-256={SENT}", id="the last of two counts"),
        pytest.param(f"sha-256=1, a=2, sha-256={SENT}", id="the last counts though the first is wrong"),
        pytest.param(f"sha-256={SENT};a=1", id="parameter"),
        pytest.param(f'sha-256={SENT};a;b=?0;  c="x;y,z";d=:AA==:;*e=t/k', id="many parameters"),
        pytest.param(f"sha-256={SENT.replace('=', '')}", id="without padding"),
        pytest.param(f"x=1, sha-256={SENT}", id="integer"),
        pytest.param(f"x=-999999999999999, sha-256={SENT}", id="smallest integer"),
        pytest.param(f"x=-1.125, sha-256={SENT}", id="decimal"),
        pytest.param(f"x=*to:k/en, sha-256={SENT}", id="token"),
        pytest.param(f'x="a\\"b\\\\, sha-256=:", sha-256={SENT}', id="string with commas and escapes"),
        pytest.param(f"x=?1, sha-256={SENT}", id="boolean"),
        pytest.param(f"x, sha-256={SENT}", id="no value"),
        pytest.param(f"x;p=1;q, sha-256={SENT}", id="no value, parameters"),
        pytest.param(f"x=(), sha-256={SENT}", id="empty inner list"),
        pytest.param(f'x=( a;p  "b" 1.5 :AA==:;q=?1 );r, sha-256={SENT}', id="inner list"),
        pytest.param(f"x=::, sha-256={SENT}", id="empty byte sequence"),
        pytest.param(f"*a.b-c_9*=1, sha-256={SENT}", id="every character of a key"),
    ],
)
def test_finds_the_digest(value: str) -> None:
    assert parse_content_digest(value) == DIGEST


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "sha-512=:AAAA:",
        "md5=:AAAA:, unixsum=1",
        "sha-2560=:AAAA:",
        "a;sha-256=:AAAA:",
        "x=(sha-256)",
    ],
)
def test_other_algorithms_alone_are_none(value: str) -> None:
    assert parse_content_digest(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param("sha-256", "byte sequence", id="no value"),
        pytest.param("sha-256;a=1", "byte sequence", id="only a parameter"),
        pytest.param("sha-256=?1", "byte sequence", id="boolean"),
        pytest.param(f'sha-256="{SENT[1:-1]}"', "byte sequence", id="string"),
        pytest.param("sha-256=2cf24dba", "comma", id="hexadecimal"),
        pytest.param(f"sha-256=({SENT})", "byte sequence", id="inner list"),
        pytest.param(f"sha-256={SENT}, sha-256=1", "byte sequence", id="the last of two is wrong"),
        pytest.param("sha-256=::", "0 bytes", id="empty"),
        pytest.param("sha-256=:AAAA:", "3 bytes", id="too short"),
        pytest.param(f"sha-256=:{base64.b64encode(bytes(33)).decode()}:", "33 bytes", id="one byte too long"),
        pytest.param("sha-256=:A:", "base64", id="a quarter of base64"),
        pytest.param("sha-256=:=AAA:", "base64", id="padding first"),
        pytest.param("sha-256=:AA==AAAA:", "base64", id="padding within"),
        pytest.param(f"sha-256={SENT[:-1]}=:", "base64", id="too much padding"),
        pytest.param(f"sha-256={SENT.replace('=', '').replace('/', '_')[:-1]}-:", "comma", id="URL alphabet"),
        pytest.param(f"sha-256={SENT[:9]}\n{SENT[9:]}", "comma", id="line end within"),
        pytest.param(f"sha-256={SENT[:9]} {SENT[9:]}", "comma", id="space within"),
        pytest.param(f"sha-256={SENT[:-1]}", "comma", id="open"),
        pytest.param(f"SHA-256={SENT}", "member", id="keys are lower case"),
        pytest.param(f"sha-256 ={SENT}", "comma", id="space before equals"),
        pytest.param(f"sha-256= {SENT}", "comma", id="space after equals"),
        pytest.param(f"sha-256={SENT},", "comma", id="final comma"),
        pytest.param(f"sha-256={SENT}, ", "comma", id="final comma and space"),
        pytest.param(f",sha-256={SENT}", "member", id="first comma"),
        pytest.param(f"a=1,,sha-256={SENT}", "member", id="empty member"),
        pytest.param(f"a=1 sha-256={SENT}", "comma", id="no comma"),
        pytest.param(f"sha-256={SENT};", "comma", id="empty parameter"),
        pytest.param(f"sha-256={SENT} ;a", "comma", id="space before a semicolon"),
        pytest.param(f"sha-256={SENT};a=", "comma", id="parameter without its value"),
        pytest.param(f"x=1234567890123456, sha-256={SENT}", "comma", id="integer of 16 digits"),
        pytest.param(f"x=1., sha-256={SENT}", "comma", id="decimal without its fraction"),
        pytest.param(f"x=1.2345, sha-256={SENT}", "comma", id="decimal of four places"),
        pytest.param(f"x=-, sha-256={SENT}", "comma", id="sign"),
        pytest.param(f"x=?2, sha-256={SENT}", "comma", id="no boolean"),
        pytest.param(f'x="\xe4", sha-256={SENT}', "comma", id="string beyond ASCII"),
        pytest.param(f'x="a\\b", sha-256={SENT}', "comma", id="bad escape"),
        pytest.param(f'x="a, sha-256={SENT}', "comma", id="open string"),
        pytest.param(f"x=(a, sha-256={SENT}", "comma", id="open inner list"),
        pytest.param(f'x=(a"b"), sha-256={SENT}', "comma", id="inner list without a space"),
        pytest.param(f"x=((a)), sha-256={SENT}", "comma", id="list in a list"),
        pytest.param(f"sha-256={SENT}\n", "comma", id="final newline"),
        pytest.param(f"1a=1, sha-256={SENT}", "member", id="key that starts with a digit"),
        pytest.param(f"sha-256=@1, sha-256={SENT}", "comma", id="date, which RFC 8941 has not"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(value: str, reason: str) -> None:
    with pytest.raises(InvalidDigest, match=reason) as caught:
        parse_content_digest(value)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a=" + '"' + "\\" * MEGABYTE, id="backslashes"),
        pytest.param("a=(" + " " * MEGABYTE, id="spaces in an open list"),
        pytest.param("a=(" + "a " * MEGABYTE, id="items in an open list"),
        pytest.param("a" + ";a" * MEGABYTE + "!", id="parameters, then garbage"),
        pytest.param("a" + " " * MEGABYTE + "!", id="spaces, then garbage"),
        pytest.param("a," * 100_000, id="members, then a comma"),
        pytest.param("sha-256=:" + "A" * MEGABYTE + ":", id="a long byte sequence"),
        pytest.param("sha-256=:" + ":" * MEGABYTE, id="only colons"),
        pytest.param("a=" + "(" * MEGABYTE, id="only brackets"),
    ],
)
def test_huge_values_take_linear_time(value: str) -> None:
    with pytest.raises(InvalidDigest):
        parse_content_digest(value)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_what_is_written_reads_back_the_same(digest: bytes) -> None:
    assert parse_content_digest(repr_digest(digest)) == digest


def test_writes_a_byte_sequence() -> None:
    assert repr_digest(DIGEST) == f"sha-256={SENT}"


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_only_32_bytes_are_a_digest(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        repr_digest(bytes(size))


hostile_text = st.text() | st.text('sha-256=:A/+, \t;()"\\?*1.').map("sha-256=".__add__)


@settings(deadline=None)
@given(hostile_text)
def test_any_text_is_a_digest_none_or_refused(value: str) -> None:
    with suppress(InvalidDigest):
        digest = parse_content_digest(value)
        assert digest is None or len(digest) == 32
