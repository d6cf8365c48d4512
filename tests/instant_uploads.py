"""Files whose tree digest is known, and uploads that name one, for tests of the engine."""

import hashlib

from storage.chunks import chunk_count, span_of_chunk
from storage.engine import Engine
from storage.model import ANONYMOUS, File, NewUpload
from storage.tree_digest import tree_digest
from tests.engines import CHUNK

DATA = b"a" * CHUNK + b"b" * CHUNK + b"c" * 10
OTHER_DATA = DATA[::-1]


def tree_digest_of(data: bytes) -> bytes:
    """As a client computes it, for 64 KiB chunks."""
    digests = [hashlib.sha256(data[at : at + CHUNK]).digest() for at in range(0, len(data), CHUNK)]
    return tree_digest(len(data), CHUNK, digests)


TREE_DIGEST = tree_digest_of(DATA)
NEW = NewUpload("copy.txt", len(DATA), chunk_size=CHUNK, content_type="text/plain", tree_digest=TREE_DIGEST)


def send_chunks(engine: Engine, upload_id: str, data: bytes, owner: str = ANONYMOUS) -> None:
    """Every chunk, with its digest."""
    for chunk in range(chunk_count(len(data), CHUNK)):
        span = span_of_chunk(chunk, len(data), CHUNK)
        part = data[span.start : span.stop]
        digest = hashlib.sha256(part).digest()
        with engine.write_chunk(upload_id, chunk, sha256=digest, owner=owner) as write:
            write.write(part)
            write.commit()


def publish(
    engine: Engine, data: bytes = DATA, *, owner: str = ANONYMOUS, sha256: bytes | None = None
) -> File:
    """A file whose tree digest is known."""
    new = NewUpload("a.bin", len(data), owner=owner, chunk_size=CHUNK, sha256=sha256)
    upload_id = engine.create(new).state.upload.id
    send_chunks(engine, upload_id, data, owner)
    return engine.merge(upload_id, owner).file


def instant(engine: Engine, new: NewUpload = NEW) -> File:
    """The file that comes of it without a byte sent."""
    created = engine.create(new)
    assert created.state.file is not None
    return created.state.file
