"""The engine over a data directory and in memory, side by side with an oracle of what must be true."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from storage.blobs.local import LocalBlobStore
from storage.blobs.memory import MemoryBlobStore
from storage.catalog.memory import MemoryCatalog
from storage.check import check_store
from storage.engine import Engine
from storage.errors import MissingChunks, StorageError, UploadExpired
from storage.limits import Limits
from storage.model import ByteRange, NewUpload
from storage.recovery import recover
from storage.state import OpenFile
from storage.sweep import sweep
from tests.engine_model.oracle import LARGEST, Attempt, Fate, Manner, OracleUpload
from tests.engines import Clock, content, local_backends

LIMITS = Limits(max_file_size=LARGEST)
BOOT = bytes(range(16))
LONG_AGO = LIMITS.upload_ttl + timedelta(minutes=1)

T = TypeVar("T")


def answer(call: Callable[[], T]) -> T | type[StorageError]:
    """What a call returns, or what it refuses with."""
    try:
        return call()
    except StorageError as refusal:
        return type(refusal)


def pattern(size: int, first: int) -> bytes:
    return bytes((first + offset) % 256 for offset in range(size))


@dataclass
class Reader:
    """A file being read: its bytes come, whatever happens to the file."""

    opened: list[OpenFile]
    content: bytes


class EngineMachine(RuleBasedStateMachine):
    """Each rule does the same to both engines and to the oracle, and compares the three answers."""

    uploads = Bundle("uploads")

    @initialize()
    def open(self) -> None:
        self.stack = ExitStack()
        self.root = Path(self.stack.enter_context(TemporaryDirectory()), "data")
        self.clock = Clock()
        self.engines = [
            self._local(),
            Engine(MemoryBlobStore(), MemoryCatalog(), LIMITS, now=self.clock.now),
        ]
        self.known: list[OracleUpload] = []
        self.readers: list[Reader] = []

    def _local(self) -> Engine:
        return Engine(*local_backends(self.root, boot=BOOT), LIMITS, now=self.clock.now)

    def _both(self, upload: OracleUpload, call: Callable[[Engine, str], T]) -> T | type[StorageError]:
        """The answer, the same, of both engines."""
        local, memory = (
            answer(partial(call, engine, upload_id))
            for engine, upload_id in zip(self.engines, upload.ids, strict=True)
        )
        assert local == memory
        return local

    @rule(
        target=uploads,
        size=st.one_of(st.none(), st.integers(0, 40)),
        chunk_size=st.integers(1, 40),
        fingerprint=st.sampled_from([None, "f", "g"]),
        with_digest=st.booleans(),
    )
    def create(
        self, size: int | None, chunk_size: int, fingerprint: str | None, with_digest: bool
    ) -> OracleUpload:
        sha256 = Attempt(0, pattern(size or 0, 0), Manner.RIGHT_DIGEST).sha256 if with_digest else None
        wish = None if size is None else chunk_size
        new = NewUpload("a.bin", size, chunk_size=wish, fingerprint=fingerprint, sha256=sha256)
        same = self._same(size, wish or LIMITS.default_chunk_size, fingerprint)
        created = [engine.create(new) for engine in self.engines]
        assert [each.resumed for each in created] == [same is not None] * 2
        ids = [each.state.upload.id for each in created]
        if same is not None:
            assert ids == same.ids
            return same
        upload = OracleUpload(ids, size, wish or LIMITS.default_chunk_size, fingerprint, sha256)
        self.known.append(upload)
        return upload

    def _same(self, size: int | None, chunk_size: int, fingerprint: str | None) -> OracleUpload | None:
        if fingerprint is None:
            return None
        wanted = OracleUpload([], size, chunk_size, fingerprint, None)
        for each in self.known:
            if each.is_same(wanted, size):
                each.touch()
                if each.fate is Fate.OPEN:
                    return each
        return None

    @rule(
        upload=uploads,
        start=st.integers(0, LARGEST),
        length=st.integers(1, LARGEST),
        first=st.sampled_from([0, 0, 0, 7]),
        manner=st.sampled_from(Manner),
        pieces=st.integers(1, 40),
    )
    def write(
        self, upload: OracleUpload, start: int, length: int, first: int, manner: Manner, pieces: int
    ) -> None:
        size = LARGEST if upload.size is None else upload.size
        if not size:
            return
        start %= size
        data = pattern(LARGEST, first)[start : min(size, start + length)]
        attempt = Attempt(start, data, manner)
        found = self._both(upload, lambda engine, upload_id: _attempt(engine, upload_id, attempt, pieces))
        assert found == upload.write(attempt)

    @rule(upload=uploads)
    def merge(self, upload: OracleUpload) -> None:
        was_open = upload.fate is Fate.OPEN
        expected = upload.merge()
        found = self._both(upload, lambda engine, upload_id: engine.merge(upload_id).created)
        assert found == (was_open if expected is None else expected)
        if expected is MissingChunks:
            self._both(upload, lambda engine, upload_id: _told_missing(engine, upload_id, upload.missing))

    @rule(upload=uploads, extra=st.integers(0, 5))
    def declare_size(self, upload: OracleUpload, extra: int) -> None:
        size = max(upload.arrived, default=-1) + 1 + extra
        found = self._both(upload, lambda engine, upload_id: engine.declare_size(upload_id, size).upload.size)
        twins = [each for each in self.known if each.fate is Fate.OPEN and each.is_same(upload, size)]
        expected = upload.declare_size(size)
        assert found == (expected if expected is not None else size)
        if expected is None and twins:
            upload.fingerprint = None

    @rule(upload=uploads)
    def abort(self, upload: OracleUpload) -> None:
        found = self._both(upload, lambda engine, upload_id: engine.abort(upload_id))
        assert found == upload.abort()

    @rule(upload=uploads)
    def start_reading(self, upload: OracleUpload) -> None:
        if upload.fate is Fate.MERGED:
            opened = [
                engine.open_file(file_id) for engine, file_id in zip(self.engines, upload.ids, strict=True)
            ]
            self.readers.append(Reader(opened, upload.content))

    @rule()
    def read_to_the_end(self) -> None:
        for reader in self.readers:
            for opened in reader.opened:
                with opened:
                    assert opened.blob.stream.read() == reader.content
        self.readers.clear()

    @rule(upload=uploads)
    def delete(self, upload: OracleUpload) -> None:
        found = self._both(upload, lambda engine, upload_id: engine.delete_file(upload_id))
        assert found == upload.delete()

    @rule(upload=uploads)
    def grow_old(self, upload: OracleUpload) -> None:
        """No byte has come for longer than uploads live."""
        if upload.fate is not Fate.OPEN:
            return
        local, memory = self.engines
        local.flush()
        assert isinstance(local.blobs, LocalBlobStore)
        assert isinstance(memory.blobs, MemoryBlobStore)
        folder = local.blobs.root / "uploads" / upload.ids[0]
        long_ago = (self.clock.now() - LONG_AGO).timestamp()
        for part in (folder / "data", folder / "journal"):
            os.utime(part, (long_ago, long_ago))
        memory.blobs.open_uploads[upload.ids[1]].last_activity -= LONG_AGO
        upload.is_old = True

    @rule(upload=uploads)
    def look(self, upload: OracleUpload) -> None:
        upload.touch()
        self._check(upload)

    @rule()
    def sweep(self) -> None:
        old = [each for each in self.known if each.is_old and each.fate is Fate.OPEN]
        assert [sweep(engine) for engine in self.engines] == [len(old)] * 2
        for each in old:
            each.touch()

    @rule()
    def list(self) -> None:
        for each in self.known:
            each.touch()
        for place, engine in enumerate(self.engines):
            is_listed = {state.upload.id for state in engine.uploads(limit=1000).items}
            assert is_listed == {each.ids[place] for each in self.known if each.fate is Fate.OPEN}
            files = {file.id for file in engine.files(limit=1000).items}
            assert files == {each.ids[place] for each in self.known if each.fate is Fate.MERGED}

    @rule(with_recovery=st.booleans())
    def reopen(self, with_recovery: bool) -> None:
        self.engines[0].close()
        self.engines[0] = self._local()
        if with_recovery:
            assert recover(self.engines[0]) is not None

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        for upload in self.known:
            if not (upload.is_old and upload.fate is Fate.OPEN):
                self._check(upload)

    def _check(self, upload: OracleUpload) -> None:
        for engine, upload_id in zip(self.engines, upload.ids, strict=True):
            _compare(engine, upload_id, upload)

    def teardown(self) -> None:
        if not hasattr(self, "engines"):
            return
        try:
            self.read_to_the_end()
            assert list(check_store(self.engines[0], repair=False)) == []
        finally:
            for engine in self.engines:
                engine.close()
            self.stack.close()


def _attempt(engine: Engine, upload_id: str, attempt: Attempt, piece: int) -> None:
    span = ByteRange(attempt.start, attempt.stop)
    with engine.write_range(upload_id, span, sha256=attempt.sha256) as write:
        if attempt.manner is Manner.LONG:
            piece = len(attempt.sent)
        for at in range(0, len(attempt.sent), piece):
            write.write(attempt.sent[at : at + piece])
        if attempt.manner is Manner.RECEIVED:
            assert write.commit_received().length == len(attempt.sent)
        elif attempt.manner is not Manner.ABANDONED:
            write.commit()


def _told_missing(engine: Engine, upload_id: str, missing: list[int]) -> None:
    with pytest.raises(MissingChunks) as refusal:
        engine.merge(upload_id)
    assert (list(refusal.value.missing), refusal.value.missing_count) == (missing, len(missing))


def _compare(engine: Engine, upload_id: str, upload: OracleUpload) -> None:
    state = answer(lambda: engine.upload(upload_id))
    match upload.fate:
        case Fate.OPEN:
            assert not isinstance(state, type)
            assert state.file is None
            arrived = {offset for span in state.arrived for offset in range(span.start, span.stop)}
            assert arrived == upload.arrived
            assert (state.upload.size, state.uploaded_bytes) == (upload.size, len(arrived))
            if upload.size is not None:
                everything = set(range(state.chunk_count or 0))
                assert everything - set(state.uploaded_chunks) == set(upload.missing)
            with engine.blobs.open_upload(upload_id) as blob:
                stored = blob.stream.read()
            assert all(stored[offset] == upload.data[offset] for offset in arrived)
        case Fate.MERGED:
            assert not isinstance(state, type)
            assert state.file == engine.file(upload_id)
            assert content(engine, upload_id) == upload.content
        case Fate.EXPIRED:
            assert state is UploadExpired
        case Fate.GONE:
            assert isinstance(state, type)


EngineMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestEngine = EngineMachine.TestCase
