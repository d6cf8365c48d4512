"""Bytes that their owner has here already are not sent again: what is shared, and with whom."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from storage.blobs.durable import NO_LINK
from storage.catalog.memory import MemoryCatalog
from storage.catalog.sql import SqlCatalog
from storage.check import check_store
from storage.engine import Engine
from storage.errors import InsufficientStorage, NoSuchFile
from storage.model import ByteRange
from storage.state import Created
from tests.engines import CHUNK, content, missing, send
from tests.instant_uploads import (
    DATA,
    NEW,
    TREE_DIGEST,
    instant,
    publish,
    send_chunks,
    tree_digest_of,
)


def is_ordinary(engine: Engine, created: Created) -> bool:
    """Whether nothing was shared: the upload wants all its chunks, and nothing else was left behind."""
    upload = created.state.upload
    assert created.state.file is None
    assert missing(engine, upload.id) == [0, 1, 2]
    assert list(engine.blobs.uploads()) == [upload.id]
    assert [each.id for each in engine.catalog.open_uploads()] == [upload.id]
    assert not engine.blobs.has_file(upload.id)
    return True


# what the server knows


def test_a_file_whose_chunks_had_digests_has_a_tree_digest(engine: Engine) -> None:
    file = publish(engine)
    assert file.tree_digest == TREE_DIGEST
    assert engine.file(file.id) == file
    assert engine.files(limit=9, tree_digest=TREE_DIGEST, size=len(DATA)).items == (file,)
    assert engine.files(limit=9, tree_digest=TREE_DIGEST, size=1).items == ()


def test_an_empty_file_has_a_tree_digest(engine: Engine) -> None:
    assert publish(engine, b"").tree_digest == tree_digest_of(b"")


def _one_chunk_without_digest(engine: Engine, upload_id: str) -> None:
    send(engine, upload_id, CHUNK, DATA[CHUNK : 2 * CHUNK])
    send_chunks(engine, upload_id, DATA)


def _other_ranges(engine: Engine, upload_id: str) -> None:
    for start, stop in ((0, 5), (5, len(DATA))):
        part = DATA[start:stop]
        digest = hashlib.sha256(part).digest()
        with engine.write_range(upload_id, ByteRange(start, stop), sha256=digest) as write:
            write.write(part)
            write.commit()


@pytest.mark.parametrize("sending", [_one_chunk_without_digest, _other_ranges])
def test_what_a_client_claims_is_not_known(engine: Engine, sending: Callable[[Engine, str], None]) -> None:
    upload_id = engine.create(NEW).state.upload.id
    sending(engine, upload_id)
    assert engine.merge(upload_id).file.tree_digest is None
    assert engine.create(NEW).state.file is None


# what is shared


def test_known_bytes_are_published_at_once(engine: Engine) -> None:
    file = publish(engine)
    created = engine.create(replace(NEW, metadata={"k": 1}))
    copy, state = created.state.file, created.state
    assert copy is not None
    assert not created.resumed
    assert (state.uploaded_bytes, state.uploaded_chunks, state.expires_at) == (len(DATA), [0, 1, 2], None)
    assert copy.id == state.upload.id != file.id
    assert (copy.filename, copy.content_type, copy.metadata) == ("copy.txt", "text/plain", {"k": 1})
    assert (copy.size, copy.tree_digest, copy.sha256) == (file.size, TREE_DIGEST, None)
    assert engine.file(copy.id) == engine.upload(copy.id).file == copy
    assert not engine.merge(copy.id).created
    assert content(engine, copy.id) == content(engine, file.id) == DATA
    assert [*engine.blobs.uploads(), *engine.catalog.open_uploads()] == []


def test_an_empty_file_is_published_at_once(engine: Engine) -> None:
    publish(engine, b"")
    assert content(engine, instant(engine, replace(NEW, size=0, tree_digest=tree_digest_of(b""))).id) == b""


def test_sharing_copies_and_reserves_nothing(local: Engine, tmp_path: Path) -> None:
    ids = [publish(local).id, instant(local).id]
    status = [(tmp_path / "data" / "files" / each[:2] / each).stat() for each in ids]
    assert status[0].st_ino == status[1].st_ino
    assert status[0].st_nlink == 2


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param({"owner": "bob"}, id="another owner"),
        pytest.param({"size": len(DATA) - 1}, id="another size"),
        pytest.param({"chunk_size": CHUNK + 1}, id="another chunk size"),
        pytest.param({"chunk_size": None}, id="the chunk size of the server"),
        pytest.param({"tree_digest": bytes(32)}, id="another tree digest"),
        pytest.param({"tree_digest": None}, id="no tree digest"),
        pytest.param({"sha256": bytes(32)}, id="another sha-256"),
    ],
)
def test_what_is_not_the_same_is_an_ordinary_upload(engine: Engine, difference: dict[str, object]) -> None:
    publish(engine, sha256=hashlib.sha256(DATA).digest())
    new = replace(NEW, **difference)  # type: ignore[arg-type]  # the names are those of a new upload
    created = engine.create(new)
    assert (created.state.file, created.resumed, created.state.uploaded_bytes) == (None, False, 0)
    assert [each.id for each in engine.catalog.open_uploads()] == [created.state.upload.id]


@pytest.mark.parametrize("named", [None, hashlib.sha256(DATA).digest()], ids=["unnamed", "named"])
@pytest.mark.parametrize("known", [None, hashlib.sha256(DATA).digest()], ids=["unknown", "known"])
def test_the_sha256_of_a_shared_file_is_what_was_known(
    engine: Engine, known: bytes | None, named: bytes | None
) -> None:
    publish(engine, sha256=known)
    assert instant(engine, replace(NEW, sha256=named)).sha256 == known


def test_each_owner_shares_with_himself(engine: Engine) -> None:
    publish(engine, owner="ann")
    assert engine.create(NEW).state.file is None
    assert instant(engine, replace(NEW, owner="ann")).owner == "ann"


def test_an_open_upload_of_the_same_fingerprint_goes_on(engine: Engine) -> None:
    new = replace(NEW, fingerprint="f")
    waiting = engine.create(new).state.upload.id
    publish(engine)
    assert instant(engine, new).id != waiting
    assert engine.upload(waiting).file is None
    resumed = engine.create(replace(new, tree_digest=None))
    assert (resumed.resumed, resumed.state.upload.id) == (True, waiting)


# deletion


def test_a_copy_outlives_the_original_and_can_be_copied(engine: Engine) -> None:
    original = publish(engine)
    first = instant(engine)
    engine.delete_file(original.id)
    second = instant(engine)
    engine.delete_file(first.id)
    assert content(engine, second.id) == DATA
    engine.delete_file(second.id)
    assert list(engine.blobs.files()) == []
    assert is_ordinary(engine, engine.create(NEW))


def test_the_original_outlives_a_copy(engine: Engine) -> None:
    original = publish(engine)
    engine.delete_file(instant(engine).id)
    assert content(engine, original.id) == DATA


def test_an_original_deleted_at_the_last_moment(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    original, share = publish(engine), engine.blobs.share_file

    def delete_and_share(file_id: str, new_id: str) -> bool:
        engine.delete_file(file_id)
        return share(file_id, new_id)

    monkeypatch.setattr(engine.blobs, "share_file", delete_and_share)
    assert is_ordinary(engine, engine.create(NEW))
    with pytest.raises(NoSuchFile):
        engine.file(original.id)


# many at once


def test_many_at_once_have_a_file_each(engine: Engine) -> None:
    original = publish(engine)
    with ThreadPoolExecutor(8) as threads:
        files = list(threads.map(lambda _: instant(engine), range(16)))
    assert len({file.id for file in files} | {original.id}) == 17
    assert {content(engine, file.id) for file in files} == {DATA}
    assert list(check_store(engine, repair=False)) == []


def test_a_deletion_among_many_leaves_whole_files_or_ordinary_uploads(engine: Engine) -> None:
    original = publish(engine)
    with ThreadPoolExecutor(8) as threads:
        creating = [threads.submit(engine.create, NEW) for _ in range(8)]
        deleting = threads.submit(engine.delete_file, original.id)
        states = [each.result().state for each in creating]
        deleting.result()
    for state in states:
        if state.file is None:
            send_chunks(engine, state.upload.id, DATA)
            engine.merge(state.upload.id)
        assert content(engine, state.upload.id) == DATA
    assert list(check_store(engine, repair=False)) == []


# what cannot be


@pytest.mark.parametrize("code", sorted(NO_LINK), ids=os.strerror)
def test_where_nothing_can_be_linked_the_bytes_are_sent(
    local: Engine, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    original = publish(local)

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "hardlink_to", refuse)
        created = local.create(NEW)
    assert is_ordinary(local, created)
    send_chunks(local, created.state.upload.id, DATA)
    local.merge(created.state.upload.id)
    assert content(local, created.state.upload.id) == content(local, original.id)


@pytest.mark.parametrize("step", ["add_upload", "publish"])
def test_a_full_disk_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    original = publish(engine)

    def refuse(*_: object) -> None:
        raise InsufficientStorage("full")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryCatalog, step, refuse)
        patch.setattr(SqlCatalog, step, refuse)
        with pytest.raises(InsufficientStorage):
            engine.create(NEW)
    assert list(engine.blobs.files()) == [original.id]
    assert [*engine.blobs.uploads(), *engine.catalog.open_uploads()] == []
    assert content(engine, instant(engine).id) == DATA
