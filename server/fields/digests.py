"""Content-Digest and Repr-Digest with SHA-256 (RFC 9530). Pure.

Both are Structured Fields dictionaries, read by the grammar RFC 9530 cites (RFC 8941). That grammar is
regular, so a few patterns are the whole parser; they take linear time, as none of them backtracks.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator

_ALGORITHM = "sha-256"
_DIGEST_SIZE = hashlib.sha256().digest_size

_KEY = r"[a-z*][a-z0-9_\-.*]*+"
_BARE_ITEM = r"""(?>
    -?[0-9]{1,12}\.[0-9]{1,3}                                       # decimal
  | -?[0-9]{1,15}                                                   # integer
  | "(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+"                    # string
  | [A-Za-z*][!\#$%&'*+\-.^_`|~0-9A-Za-z:/]*+                       # token
  | :[A-Za-z0-9+/=]*+:                                              # byte sequence
  | \?[01]                                                          # boolean
)"""
_PARAMETERS = rf"(?:;\x20*+{_KEY}(?:={_BARE_ITEM})?+)*+"
_INNER_LIST = rf"\(\x20*+(?:{_BARE_ITEM}{_PARAMETERS}(?:\x20++|(?=\))))*+\){_PARAMETERS}"
_MEMBER = re.compile(
    rf"(?P<key>{_KEY})(?:=(?:(?P<item>{_BARE_ITEM}){_PARAMETERS}|(?P<list>{_INNER_LIST}))|{_PARAMETERS})",
    re.VERBOSE,
)
_COMMA = re.compile(r"[ \t]*+,[ \t]*+(?!\Z)")


class InvalidDigest(ValueError):
    """A digest field that cannot be read; `reason` says why, for the sender to see."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse_content_digest(value: str) -> bytes | None:
    """The 32 bytes of SHA-256 in a Content-Digest or Repr-Digest; None if it has only other algorithms.

    Of a repeated key the last counts (RFC 8941, 3.2). What other algorithms carry is held to the grammar
    and not decoded. Missing padding and stray pad bits of the base64 are forgiven (RFC 8941, 4.2.7),
    nothing else.

    :raises InvalidDigest: the field fails to parse, or the value of `sha-256` is not 32 bytes.
    """
    members = dict(_members(value.strip(" ")))
    return _sha256(members[_ALGORITHM]) if _ALGORITHM in members else None


def repr_digest(sha256: bytes) -> str:
    """The value of Repr-Digest (or Content-Digest) that says `sha256`.

    :raises ValueError: `sha256` is not 32 bytes.
    """
    if len(sha256) != _DIGEST_SIZE:
        raise ValueError(f"a SHA-256 digest has {_DIGEST_SIZE} bytes, not {len(sha256)}")
    return f"{_ALGORITHM}=:{base64.b64encode(sha256).decode('ascii')}:"


def _members(dictionary: str) -> Iterator[tuple[str, str | None]]:
    """Keys with their bare items as sent; None for an inner list or a key without a value."""
    position = 0
    while position < len(dictionary):
        member = _MEMBER.match(dictionary, position)
        if member is None:
            raise InvalidDigest(f"not a dictionary member at character {position}")
        yield member["key"], member["item"]
        position = member.end()
        if position == len(dictionary):
            return
        comma = _COMMA.match(dictionary, position)
        if comma is None:
            raise InvalidDigest(f"no comma and next member at character {position}")
        position = comma.end()


def _sha256(item: str | None) -> bytes:
    if item is None or not item.startswith(":"):
        raise InvalidDigest(f"{_ALGORITHM} is not a byte sequence")
    text = item.strip(":")
    try:
        digest = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as exc:
        raise InvalidDigest(f"{_ALGORITHM} is not base64") from exc
    if len(digest) != _DIGEST_SIZE:
        raise InvalidDigest(f"{_ALGORITHM} has {len(digest)} bytes, not {_DIGEST_SIZE}")
    return digest
