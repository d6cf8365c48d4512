"""File names that come from outside: read from Content-Disposition, made safe to write and to print. Pure."""

import re
import unicodedata
from urllib.parse import unquote, urlsplit

# NAME.part.json and a temporary suffix must fit in the 255 bytes most file systems allow.
_LONGEST_NAME = 230
_FALLBACK = "download"
_EXTENDED = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^\s;\"]+)", re.IGNORECASE)
_QUOTED = re.compile(r';\s*filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TOKEN = re.compile(r";\s*filename\s*=\s*([^\s;\"]+)", re.IGNORECASE)
_CONTENT_PATH = re.compile(r"/content/?$")
_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def suggested_name(disposition: str | None, url: str) -> str:
    """A safe name for a download: from Content-Disposition (RFC 6266), else from the URL's last segment."""
    return safe_name(_name_in_disposition(disposition or "") or _name_in_url(url))


def safe_name(name: str) -> str:
    """One path segment that stays in its folder, hides nothing and fits; `download` if nothing is left.

    Only what follows the last slash or backslash counts (RFC 6266, section 4.3). Control and direction
    characters go; a leading dot becomes an underscore, so that a server cannot plant `.profile`.
    """
    last = re.split(r"[/\\]", name)[-1]
    visible = "".join(c for c in unicodedata.normalize("NFC", last) if not _invisible(c)).strip()
    if visible.strip(". ") == "":
        return _FALLBACK
    return _shortened("_" + visible[1:] if visible.startswith(".") else visible)


def printable(text: str) -> str:
    """Text from a server without what could steer a terminal or turn the reading direction."""
    return "".join(" " if _invisible(c) else c for c in text)


def _name_in_disposition(field: str) -> str:
    if found := _EXTENDED.search(field):
        return unquote(found[1], encoding="utf-8", errors="replace")
    if found := _QUOTED.search(field):
        return re.sub(r"\\(.)", r"\1", found[1])
    found = _TOKEN.search(field)
    return found[1] if found else ""


def _name_in_url(url: str) -> str:
    path = _CONTENT_PATH.sub("", urlsplit(url).path)
    return unquote(path.rstrip("/").rpartition("/")[2], errors="replace")


def _invisible(character: str) -> bool:
    return character in _DIRECTION_MARKS or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _shortened(name: str) -> str:
    """Cut the stem, not the suffix, to the longest name; never in the middle of a character."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).encode() if stem and len(suffix) <= 16 else b""
    room = _LONGEST_NAME - len(ending)
    return name.encode()[:room].decode(errors="ignore") + ending.decode()
