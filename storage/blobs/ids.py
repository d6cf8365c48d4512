"""What an id is: it becomes a path, so nothing else gets near one."""

import re

_ID = re.compile(r"[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Whether `text` is 32 lowercase hex digits."""
    return _ID.fullmatch(text) is not None
