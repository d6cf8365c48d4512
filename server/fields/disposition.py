"""Content-Disposition: under which name a file is saved, and whether a browser may show it (RFC 6266). Pure.

Names come from uploaders and are hostile: whatever could split a header, climb out of a folder or hide the
real end of a name is gone from both forms of it.
"""

import re
import unicodedata
from enum import StrEnum
from urllib.parse import quote

from server.fields.media_types import parse_media_type

DEFAULT_FILENAME = "download"

INLINE_TYPES = frozenset(
    {
        "audio/aac",
        "audio/flac",
        "audio/mp4",
        "audio/mpeg",
        "audio/ogg",
        "audio/wav",
        "audio/webm",
        "audio/x-wav",
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "text/plain",
        "video/mp4",
        "video/ogg",
        "video/webm",
    }
)
"""Types in which no browser runs anything. Never to be added: HTML, XML, SVG, PDF, scripts, style sheets."""

_SEPARATORS = re.compile(r"[/\\]")
# Controls and lone surrogates, line and paragraph separators, byte order mark, and all that reorders text.
_REMOVED = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
# Quotes and backslashes end or escape a quoted-string, and browsers decode %XX in one though none should (D).
_UNSAFE_IN_FALLBACK = re.compile(r'[^\x20-\x7e]|["%/\\]')


class Disposition(StrEnum):
    """Whether a browser saves a file or shows it (RFC 6266, 4.2)."""

    ATTACHMENT = "attachment"
    INLINE = "inline"


def content_disposition(filename: str, kind: Disposition) -> str:
    """The field value with both forms of the name, in ASCII whatever `filename` holds (4.3; RFC 8187, 3.2).

    Clients that know `filename*` take the name from it, the others get an ASCII likeness. A name of which
    nothing is left becomes `DEFAULT_FILENAME`.
    """
    name = _trimmed(_REMOVED.sub("", _SEPARATORS.sub("_", filename)))
    return f"{kind.value}; filename=\"{_ascii_fallback(name)}\"; filename*=UTF-8''{quote(name, safe='')}"


def may_inline(content_type: str) -> bool:
    """Whether a browser may show this type rather than save it; parameters do not matter, nor does case."""
    media_type = parse_media_type(content_type)
    return media_type is not None and media_type.essence in INLINE_TYPES


def _ascii_fallback(name: str) -> str:
    """`name` with accents taken off and `_` for what ASCII, or a careless parser, cannot take."""
    letters = (char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return _trimmed(_UNSAFE_IN_FALLBACK.sub("_", "".join(letters)))


def _trimmed(name: str) -> str:
    """Without outer spaces and final dots, which some systems drop on saving; `.` and `..` go with them."""
    return name.strip().rstrip(". ") or DEFAULT_FILENAME
