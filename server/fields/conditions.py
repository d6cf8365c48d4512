"""Conditional requests: whether to serve, and whether a range may be served (RFC 9110, 13). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Self

from server.fields.dates import parse_http_date
from server.fields.entity_tags import EntityTag

_READS = frozenset({"GET", "HEAD"})
_WITHOUT_REPRESENTATION = frozenset({"CONNECT", "OPTIONS", "TRACE"})


class Outcome(Enum):
    """What the preconditions leave to do: go on, or answer 304 or 412."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()


@dataclass(frozen=True, slots=True)
class Validators:
    """What the current representation is known by: a strong `etag`, quotes included, and its last change.

    `last_modified` is in UTC and whole seconds.

    :raises ValueError: the etag is not a strong entity tag, or the time is not as said.
    """

    etag: str
    last_modified: datetime

    def __post_init__(self) -> None:
        tag = EntityTag.parse(self.etag)
        if tag is None or tag.weak:
            raise ValueError(f"not a strong entity tag: {self.etag!r}")
        if self.last_modified.utcoffset() != timedelta(0) or self.last_modified.microsecond:
            raise ValueError(f"not a UTC time in whole seconds: {self.last_modified!r}")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The precondition fields of a request as they came; None for one that was not sent."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None
    if_range: str | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Read from a mapping with lowercase names, in which the lines of one field are joined already."""
        return cls(
            if_match=headers.get("if-match"),
            if_none_match=headers.get("if-none-match"),
            if_modified_since=headers.get("if-modified-since"),
            if_unmodified_since=headers.get("if-unmodified-since"),
            if_range=headers.get("if-range"),
        )


def evaluate(conditions: Conditions, validators: Validators, method: str) -> Outcome:
    """Steps 1 to 4 of the precedence in 13.2.2, for a representation that exists; step 5 is `range_applies`.

    To be called only when the answer without preconditions would be 2xx (13.2.1).
    """
    if method in _WITHOUT_REPRESENTATION:
        return Outcome.PROCEED
    if not _is_as_required(conditions, validators):
        return Outcome.PRECONDITION_FAILED
    if not _is_known(conditions, validators, method):
        return Outcome.PROCEED
    return Outcome.NOT_MODIFIED if method in _READS else Outcome.PRECONDITION_FAILED


def range_applies(conditions: Conditions, validators: Validators) -> bool:
    """Whether a Range field is to be honoured as far as If-Range goes (13.1.5); without If-Range it is.

    An entity tag compares strongly. A date must be exactly Last-Modified, and a strong validator (8.8.2.2).
    Many servers take it for one only when Date is a minute later, in case there were two versions within
    one second. A file of ours never changes under its id: the server knows for certain that there was one
    version, so a date of any age will do, and a download cut in its first minute can go on. What is neither
    tag nor date is false.
    """
    if conditions.if_range is None:
        return True
    if tag := EntityTag.parse(conditions.if_range):
        return tag.matches_strongly(EntityTag(validators.etag))
    return parse_http_date(conditions.if_range) == validators.last_modified


def _is_as_required(conditions: Conditions, validators: Validators) -> bool:
    """Steps 1 and 2: If-Match, and only without it If-Unmodified-Since. A date that is none is ignored."""
    if conditions.if_match is not None:
        return _names(conditions.if_match, EntityTag(validators.etag).matches_strongly)
    limit = _date(conditions.if_unmodified_since)
    return limit is None or validators.last_modified <= limit


def _is_known(conditions: Conditions, validators: Validators, method: str) -> bool:
    """Steps 3 and 4: If-None-Match, and only without it If-Modified-Since, which only reads have."""
    if conditions.if_none_match is not None:
        return _names(conditions.if_none_match, EntityTag(validators.etag).matches_weakly)
    since = _date(conditions.if_modified_since) if method in _READS else None
    return since is not None and validators.last_modified <= since


def _names(value: str, matches: Callable[[EntityTag], bool]) -> bool:
    """Whether `"*" / #entity-tag` names the current representation."""
    return value == "*" or any(map(matches, EntityTag.parse_list(value)))


def _date(value: str | None) -> datetime | None:
    return None if value is None else parse_http_date(value)
