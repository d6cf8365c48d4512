"""Entity tags and their two comparisons (RFC 9110, 8.8.3). Pure."""

import re
from dataclasses import dataclass
from typing import Self

_ENTITY_TAG = r'(?P<weak>W/)?+(?P<opaque>"[\x21\x23-\x7e\x80-\xff]*+")'
_ONE = re.compile(_ENTITY_TAG)
# An opaque tag may hold commas, so a list is read tag by tag and never split at them.
_NEXT = re.compile(rf"[ \t,]*+{_ENTITY_TAG}[ \t]*+(?=,|\Z)")
_REST = re.compile(r"[ \t,]*+")


@dataclass(frozen=True, slots=True)
class EntityTag:
    """`opaque` is the opaque tag with its quotes."""

    opaque: str
    weak: bool = False

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """The one entity tag that is the whole of `value`, or None."""
        match = _ONE.fullmatch(value)
        return cls._matched(match) if match else None

    @classmethod
    def parse_list(cls, value: str) -> tuple[Self, ...]:
        """The tags of a `#entity-tag` list, in linear time. A list with a fault holds no tag at all.

        So a broken If-None-Match gets the whole file and a broken If-Match 412, which are never wrong.
        """
        tags: list[Self] = []
        position = 0
        while match := _NEXT.match(value, position):
            tags.append(cls._matched(match))
            position = match.end()
        return tuple(tags) if _REST.fullmatch(value, position) else ()

    @classmethod
    def _matched(cls, match: re.Match[str]) -> Self:
        return cls(match["opaque"], weak=match["weak"] is not None)

    def matches_strongly(self, other: Self) -> bool:
        """Same opaque tag and neither weak: byte for byte the same content (8.8.3.2)."""
        return not self.weak and not other.weak and self.opaque == other.opaque

    def matches_weakly(self, other: Self) -> bool:
        """Same opaque tag, weak or not (8.8.3.2)."""
        return self.opaque == other.opaque
