"""What is recorded for the promises test: a process that uses the real engine and says what it promised.

    python -m tests.powercut.workload serve|resume DATA_DIRECTORY BOOT_ID

A promise is a line `WORD UPLOAD_ID …`: `created` names the file and its size, and so does `shared`, which is
created and merged in one; `arrived` names the chunk; `merging`, `deleting` and `aborting` say what begins,
`merged`, `deleted` and `aborted` what a client was told. Two have no id: what arrived before `flushing` must
survive a power cut after `flushed`.
"""

import hashlib
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from storage.blobs.local import LocalBlobStore
from storage.catalog.sqlite import open_sqlite_catalog
from storage.chunks import chunk_count, span_of_chunk
from storage.engine import Engine
from storage.errors import MissingChunks
from storage.model import ByteRange, NewUpload
from storage.recovery import recover
from storage.tree_digest import tree_digest
from tests.powercut.promises import promise

KIB = 1 << 10
LARGE = 64 * KIB
"""Larger uploads are flushed before they are held: some of the workload's are, some are not."""


def open_engine(root: Path, boot: bytes) -> Engine:
    """The real engine over the real backends, as the server puts it together."""
    blobs = LocalBlobStore(root, boot=boot)
    return Engine(blobs, open_sqlite_catalog(root / "catalog.db"))


def content(filename: str, size: int) -> bytes:
    """The bytes of a file: whoever knows its name and size knows them."""
    return random.Random(filename).randbytes(size)


@contextmanager
def _after_fsync_of(path: Path, action: Callable[[], None]) -> Iterator[None]:
    """What another connection may do at the worst moment, done once, and at that moment every time."""
    fsync, actions = os.fsync, [action]

    def fsync_and_act(fd: int) -> None:
        fsync(fd)
        if actions and path.samefile(f"/proc/self/fd/{fd}"):
            actions.pop()()

    with patch.object(os, "fsync", fsync_and_act):
        yield
    assert not actions


class Client:
    """Calls the engine as a handler of requests does, and says what it would have answered."""

    def __init__(self, engine: Engine, root: Path) -> None:
        self._engine, self._root = engine, root

    def create(self, filename: str, size: int, *, chunk_size: int, sha256: bool = False) -> str:
        digest = hashlib.sha256(content(filename, size)).digest() if sha256 else None
        new = NewUpload(filename, size, chunk_size=chunk_size, sha256=digest)
        upload_id = self._engine.create(new).state.upload.id
        promise(f"created {upload_id} {filename} {size}")
        return upload_id

    def send(self, upload_id: str, *chunks: int) -> None:
        for chunk in chunks:
            upload = self._engine.upload(upload_id).upload
            assert upload.size is not None
            span = span_of_chunk(chunk, upload.size, upload.chunk_size)
            data = content(upload.filename, upload.size)[span.start : span.stop]
            with self._engine.write_chunk(upload_id, chunk, sha256=hashlib.sha256(data).digest()) as write:
                write.write(data[: len(data) // 2])
                write.write(data[len(data) // 2 :])
                write.commit()
            promise(f"arrived {upload_id} {chunk}")

    def share(self, filename: str, size: int, *, chunk_size: int) -> None:
        """Publish a file again without sending it: its bytes are here."""
        data = content(filename, size)
        spans = (span_of_chunk(chunk, size, chunk_size) for chunk in range(chunk_count(size, chunk_size)))
        digests = [hashlib.sha256(data[span.start : span.stop]).digest() for span in spans]
        digest = tree_digest(size, chunk_size, digests)
        created = self._engine.create(NewUpload(filename, size, chunk_size=chunk_size, tree_digest=digest))
        assert created.state.file is not None
        promise(f"shared {created.state.upload.id} {filename} {size}")

    def stop_halfway(self, upload_id: str, span: ByteRange) -> None:
        """A connection that breaks: bytes are written, and nothing is promised."""
        with self._engine.write_range(upload_id, span) as write:
            write.write(bytes(span.length // 2))

    def merge(self, upload_id: str) -> None:
        promise(f"merging {upload_id}")
        self._engine.merge(upload_id)
        promise(f"merged {upload_id}")

    def merge_whole_uploads(self) -> None:
        for state in self._engine.uploads(limit=100).items:
            if len(state.uploaded_chunks) == state.chunk_count:
                self.merge(state.upload.id)

    def look_at_files(self) -> None:
        """Who is shown a file relies on it, whoever merged it."""
        for file in self._engine.files(limit=100).items:
            promise(f"merged {file.id}")

    def delete(self, file_id: str) -> None:
        promise(f"deleting {file_id}")
        self._engine.delete_file(file_id)
        promise(f"deleted {file_id}")

    def abort(self, upload_id: str) -> None:
        promise(f"aborting {upload_id}")
        self._engine.abort(upload_id)
        promise(f"aborted {upload_id}")

    def flush_while_sending(self, upload_id: str, chunk: int) -> None:
        """Flush all; the chunk arrives after the flush of its upload's data, before that is noted."""
        promise("flushing")
        with _after_fsync_of(
            self._root / "uploads" / upload_id / "data", lambda: self.send(upload_id, chunk)
        ):
            self._engine.flush()
        promise("flushed")


def serve(client: Client) -> None:
    """Some of everything, with several uploads under way at once."""
    kept = client.create("kept.bin", 10_000, chunk_size=4 * KIB)
    client.send(kept, 2, 0)
    verified = client.create("verified.bin", 150_000, chunk_size=64 * KIB, sha256=True)
    client.send(verified, 1)
    client.stop_halfway(kept, ByteRange(4 * KIB, 8 * KIB))
    client.send(kept, 0, 1)
    client.merge(kept)
    client.share("kept.bin", 10_000, chunk_size=4 * KIB)
    unfinished = client.create("unfinished.bin", 20_000, chunk_size=2 * KIB)
    client.send(unfinished, 0, 3, 5, 6)
    client.flush_while_sending(unfinished, 7)
    client.send(unfinished, 4, 9)
    client.send(verified, 0, 2)
    client.merge(verified)
    aborted = client.create("aborted.bin", 5_000, chunk_size=4 * KIB)
    client.send(aborted, 1)
    client.abort(aborted)
    deleted = client.create("deleted.bin", 700, chunk_size=4 * KIB)
    client.send(deleted, 0)
    client.merge(deleted)
    client.delete(deleted)
    client.merge(client.create("empty.bin", 0, chunk_size=4 * KIB))
    _merge_too_early(client, unfinished)
    client.stop_halfway(unfinished, ByteRange(2 * KIB, 4 * KIB))


def _merge_too_early(client: Client, upload_id: str) -> None:
    try:
        client.merge(upload_id)
    except MissingChunks:
        return
    raise AssertionError("merged an upload that is not complete")


def resume(client: Client) -> None:
    """What clients do after a restart: merge what is whole, and rely on the files they are shown."""
    client.merge_whole_uploads()
    client.look_at_files()


def main() -> None:
    task, root, boot = sys.argv[1:]
    engine = open_engine(Path(root), bytes.fromhex(boot))
    recover(engine)
    with patch("storage.merging.SHORT_FLUSH", LARGE):
        {"serve": serve, "resume": resume}[task](Client(engine, Path(root)))
    engine.close()


if __name__ == "__main__":
    main()
