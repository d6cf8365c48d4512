"""A pipe with bytes in it, for what takes bytes from one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def filled_pipe(data: bytes) -> Iterator[int]:
    """The reading end of a pipe with these bytes, 64 KiB at most, in it."""
    out, into = os.pipe()
    try:
        assert os.write(into, data) == len(data)
        yield out
    finally:
        os.close(out)
        os.close(into)


def bytes_left(pipe: int) -> int:
    """How many bytes are in a pipe, which are taken out."""
    os.set_blocking(pipe, False)
    try:
        return len(os.read(pipe, 64 << 10))
    except BlockingIOError:
        return 0
