"""The tree digest of a file: one SHA-256 over the SHA-256 of its chunks. Pure.

It is SHA-256 over the ASCII bytes `partway-tree-1` and a line feed, then the size of the file and the size
of its chunks as unsigned 8-byte big-endian integers, then the raw 32-byte SHA-256 of each chunk in order. A
client computes it chunk by chunk, in parallel; the server knows it once every chunk's digest was verified.
"""

import hashlib
import struct
from collections.abc import Iterable, Mapping

from storage.chunks import chunk_count, span_of_chunk
from storage.model import ByteRange

_PREFIX = b"partway-tree-1\n"
_SIZES = struct.Struct(">QQ")


def tree_digest(size: int, chunk_size: int, chunk_digests: Iterable[bytes]) -> bytes:
    """The 32 bytes for a file of `size` bytes, whose chunks of `chunk_size` bytes have these SHA-256."""
    digest = hashlib.sha256(_PREFIX + _SIZES.pack(size, chunk_size))
    for chunk_digest in chunk_digests:
        digest.update(chunk_digest)
    return digest.digest()


def verified_tree_digest(size: int, chunk_size: int, verified: Mapping[ByteRange, bytes]) -> bytes | None:
    """The tree digest, if `verified` has the digest of every chunk, by exactly its range."""
    digests = []
    for chunk in range(chunk_count(size, chunk_size)):
        digest = verified.get(span_of_chunk(chunk, size, chunk_size))
        if digest is None:
            return None
        digests.append(digest)
    return tree_digest(size, chunk_size, digests)
