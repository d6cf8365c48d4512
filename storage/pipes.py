"""Bytes that wait in a pipe: the kernel can put them into a file without showing them to us (splice(2))."""

import errno
import os

from storage.errors import StorageFailure

CANNOT_SPLICE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EPERM})
"""What kernels, sandboxes and file systems say that know no splice for what they were given."""


def read_pipe(pipe: int, count: int) -> bytes:
    """Take `count` bytes, all of which are there, out of a pipe and into memory."""
    parts = []
    while count:
        part = os.read(pipe, count)
        if not part:
            raise StorageFailure("a pipe ended early")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def splice_fully(pipe: int, fd: int, offset: int, count: int) -> int:
    """Move up to `count` bytes from a pipe into a file; fewer only where this file system cannot.

    Returns how many it moved: the others are still in the pipe. Raises OSError.
    """
    moved = 0
    while moved < count:
        try:
            moved += os.splice(pipe, fd, count - moved, offset_dst=offset + moved)
        except OSError as exc:
            if exc.errno not in CANNOT_SPLICE:
                raise
            break
    return moved
