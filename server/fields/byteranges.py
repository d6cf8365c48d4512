"""Framing of `multipart/byteranges`: exact lengths, no bodies (RFC 9110, 14.6 and 15.3.7.2). Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from server.fields.media_types import parse_media_type
from server.fields.ranges import Span

# RFC 2046, 5.1.1 allows these in a boundary and RFC 9110 in a token; some clients choke on quotes (14.6).
_BOUNDARY = re.compile(r"[0-9A-Za-z'+_.-]{1,70}")


class Part(NamedTuple):
    """One body part: `header` is sent as it is, up to and with the empty line; then the bytes of `span`."""

    header: bytes
    span: Span


@dataclass(frozen=True, slots=True)
class MultipartPlan:
    """The body of a 206 with several ranges: each part's header and bytes in turn, then `closing`.

    `length` is the Content-Length in bytes, `content_type` the Content-Type of the whole answer.
    """

    parts: tuple[Part, ...]
    closing: bytes
    length: int
    content_type: str

    @classmethod
    def build(cls, spans: Sequence[Span], *, size: int, content_type: str, boundary: str) -> Self:
        """Plan `spans`, in their order, of a file of `size` bytes and type `content_type`.

        `boundary` must not occur in the file: the caller draws it at random, 128 bits or more.

        :raises ValueError: no spans, a type that is no media type, or a boundary that would need quotes.
        """
        _check(spans, content_type, boundary)
        parts = tuple(
            Part(_part_header(span, size, content_type, boundary, first=index == 0), span)
            for index, span in enumerate(spans)
        )
        closing = f"\r\n--{boundary}--\r\n".encode("ascii")
        length = sum(len(part.header) + part.span.length for part in parts) + len(closing)
        return cls(parts, closing, length, f"multipart/byteranges; boundary={boundary}")


def _check(spans: Sequence[Span], content_type: str, boundary: str) -> None:
    if not spans:
        raise ValueError("a multipart answer needs a span")
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError(f"not a boundary that goes without quotes: {boundary!r}")
    if parse_media_type(content_type) is None:
        raise ValueError(f"not a media type: {content_type!r}")


def _part_header(span: Span, size: int, content_type: str, boundary: str, *, first: bool) -> bytes:
    """The CRLF before a delimiter belongs to it, and the first needs none: there is nothing before it."""
    lines = (
        f"--{boundary}" if first else f"\r\n--{boundary}",
        f"Content-Type: {content_type}",
        f"Content-Range: {span.content_range(size)}",
        "\r\n",
    )
    return "\r\n".join(lines).encode("latin-1")
