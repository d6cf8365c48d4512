"""Media types: `type/subtype; name=value` (RFC 9110, 8.3.1). Pure."""

import re
from dataclasses import dataclass, field

MAX_MEDIA_TYPE_LENGTH = 255
"""Characters of a type we store: 127 for each half is what RFC 6838, 4.2 allows."""

_TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED_STRING = r'"(?P<quoted>(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+)"'
_TYPE = re.compile(rf"(?P<type>{_TCHARS})/(?P<subtype>{_TCHARS})")
# The parameter after a semicolon may be missing (5.6.6).
_PARAMETER = re.compile(
    rf"[ \t]*+;[ \t]*+(?:(?P<name>{_TCHARS})=(?:(?P<token>{_TCHARS})|{_QUOTED_STRING}))?+",
)
_QUOTED_PAIR = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class MediaType:
    """`type`, `subtype` and parameter names are in lower case, values as they came, without their quoting."""

    type: str
    subtype: str
    parameters: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def essence(self) -> str:
        """`type/subtype`, without the parameters."""
        return f"{self.type}/{self.subtype}"


def parse_media_type(value: str) -> MediaType | None:
    """The media type that is the whole of `value`, or None, in linear time.

    Of a repeated parameter the first counts; no RFC says which should.
    """
    match = _TYPE.match(value)
    if match is None:
        return None
    media_type = MediaType(match["type"].lower(), match["subtype"].lower())
    position = match.end()
    while found := _PARAMETER.match(value, position):
        if found["name"]:
            media_type.parameters.setdefault(found["name"].lower(), _parameter_value(found))
        position = found.end()
    return media_type if position == len(value) else None


def is_valid_media_type(value: str) -> bool:
    """Whether an uploader's `content_type` may be stored and sent back: a media type, ASCII, not too long."""
    return len(value) <= MAX_MEDIA_TYPE_LENGTH and value.isascii() and parse_media_type(value) is not None


def _parameter_value(match: re.Match[str]) -> str:
    token: str | None = match["token"]
    return token if token is not None else _QUOTED_PAIR.sub(r"\1", match["quoted"])
