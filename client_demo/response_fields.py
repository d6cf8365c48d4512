"""Response fields a download decides by, parsed strictly: Content-Range, ETag, Repr-Digest. Pure."""

import base64
import binascii
import re
from dataclasses import dataclass

# 19 digits hold any 64-bit size; longer ones are not sizes.
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.IGNORECASE | re.ASCII)
_UNSATISFIED = re.compile(r"bytes \*/(\d{1,19})", re.IGNORECASE | re.ASCII)
_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Bytes `first` to `last`, both included, of `total` (RFC 9110, section 14.4)."""

    first: int
    last: int
    total: int


def parse_content_range(value: str | None) -> ContentRange | None:
    """The range of a 206 answer; None when it is missing, malformed or impossible."""
    found = _RANGE.fullmatch((value or "").strip())
    if not found:
        return None
    span = ContentRange(*map(int, found.groups()))
    return span if span.first <= span.last < span.total else None


def parse_unsatisfied_range(value: str | None) -> int | None:
    """The total size a 416 answer tells, in bytes."""
    found = _UNSATISFIED.fullmatch((value or "").strip())
    return int(found[1]) if found else None


def strong_etag(value: str | None) -> str | None:
    """The ETag if it can vouch for single bytes (RFC 9110, section 8.8.1), else None."""
    return value if value and value.startswith('"') and value.endswith('"') and len(value) > 1 else None


def parse_sha256(value: str | None) -> str | None:
    """The sha-256 of a Repr-Digest field (RFC 9530, section 3) as hex; None when there is none."""
    found = _SHA256.search(value or "")
    if not found:
        return None
    try:
        digest = base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return None
    return digest.hex() if len(digest) == 32 else None


def sha256_field(digest: bytes) -> str:
    """The value of Content-Digest for one sha-256 (RFC 9530, section 2)."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"
