"""A fault of what is stored: something that is not as `docs/format.md` says."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with what, and how it can be mended.

    Attributes:
        code: the kind of fault, in one word with hyphens.
        subject: an id, or a path below the data directory.
        remedy: what `mend` does, or what a person can do where there is none; reads on from "would" or alone.
        mend: mends it, when nobody else uses the data directory.
    """

    code: str
    subject: str
    detail: str
    remedy: str
    mend: Callable[[], object] | None
