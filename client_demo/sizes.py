"""Sizes as people write them: `8388608`, `8MiB`, `500MB`; the same words the server's settings take. Pure."""

import re

_SIZE = re.compile(r"\s*(\d{1,19}(?:\.\d{1,19})?)\s*([kmgtp]i?b|b)?\s*", re.ASCII | re.IGNORECASE)
_POWERS = {letter: power for power, letter in enumerate("kmgtp", start=1)}
_BINARY = ("KiB", "MiB", "GiB", "TiB", "PiB")


def parse_size(text: str) -> int:
    """Bytes. KiB counts in 1024, kB in 1000; a bare `8M`, which could be either, raises ValueError."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a size; write bytes, or a size like 8MiB or 500MB")
    number, unit = found[1], (found[2] or "b").lower()
    scale = 1 if unit == "b" else (1024 if "i" in unit else 1000) ** _POWERS[unit[0]]
    return int(number) * scale if "." not in number else int(float(number) * scale)


def format_size(count: int) -> str:
    """Bytes for a person: `8 MiB`, `1.5 GiB`, `17 B`."""
    amount, unit = float(count), "B"
    for larger in _BINARY:
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f}".removesuffix(".0") + f" {unit}"
