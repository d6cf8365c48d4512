"""What a kill left behind is finished or undone: by the next start, or by a client that just goes on."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from storage.blobs.local_upload import LocalHeldUpload, UploadPaths
from storage.catalog.sql import SqlCatalog
from storage.check import check_store
from storage.engine import Engine
from storage.errors import NoSuchFile, NoSuchUpload
from storage.recovery import Recovered, recover
from tests.engines import content, missing, opened, publish, send, start

DATA = b"x" * 100


class Killed(BaseException):
    """The process ends here."""


def _die(*_: object, **__: object) -> NoReturn:
    raise Killed


@contextmanager
def killed_in(monkeypatch: pytest.MonkeyPatch, target: object, name: str) -> Iterator[None]:
    """The process dies where it would call this."""
    with monkeypatch.context() as patch:
        patch.setattr(target, name, _die)
        with pytest.raises(Killed):
            yield


STAGES = [
    pytest.param(LocalHeldUpload, "record_flush", False, id="after the flush of the data"),
    pytest.param(LocalHeldUpload, "publish", False, id="before the rename"),
    pytest.param(os, "rename", False, id="at the rename"),
    pytest.param(SqlCatalog, "publish", True, id="between rename and catalog"),
    pytest.param(LocalHeldUpload, "discard", False, id="between catalog and removal"),
    pytest.param(UploadPaths, "remove", False, id="at the removal"),
]


@pytest.fixture(params=[0, 8 << 20], ids=["flushed before it is held", "flushed while it is held"])
def each_way_to_flush(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.merging.SHORT_FLUSH", request.param)


def _half_merged(root: Path, monkeypatch: pytest.MonkeyPatch, target: object, name: str) -> str:
    with opened(root) as engine:
        upload_id = start(engine, len(DATA))
        send(engine, upload_id, 0, DATA)
        with killed_in(monkeypatch, target, name):
            engine.merge(upload_id)
    return upload_id


def test_a_start_that_had_nothing_to_put_right_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered()
    assert [record for record in caplog.records if record.name == "partway.storage"] == []


def test_what_was_put_right_is_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _half_merged(tmp_path, monkeypatch, SqlCatalog, "publish")
    caplog.set_level(logging.INFO)
    with opened(tmp_path) as engine:
        recover(engine)
    assert [message for message in caplog.messages if "merges finished: 1" in message]


@pytest.mark.usefixtures("each_way_to_flush")
@pytest.mark.parametrize(("target", "name", "is_finished"), STAGES)
def test_a_merge_that_was_cut_off_is_finished_or_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: object, name: str, is_finished: bool
) -> None:
    upload_id = _half_merged(tmp_path, monkeypatch, target, name)
    with opened(tmp_path) as engine:
        done = recover(engine)
        assert done is not None
        assert done.merges_finished == is_finished
        state = engine.upload(upload_id)
        assert (state.file is not None) or state.uploaded_chunks == [0]
        assert list(check_store(engine, repair=False)) == []
        assert engine.merge(upload_id).created == (state.file is None)
        assert content(engine, upload_id) == DATA
        assert recover(engine) == Recovered()


@pytest.mark.usefixtures("each_way_to_flush")
@pytest.mark.parametrize(("target", "name", "is_finished"), STAGES)
@pytest.mark.parametrize("is_same_process", [True, False], ids=["same process", "another process"])
def test_a_client_that_merges_again_ends_well(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: object,
    name: str,
    is_finished: bool,
    is_same_process: bool,
) -> None:
    if is_same_process:
        with opened(tmp_path) as engine:
            upload_id = start(engine, len(DATA))
            send(engine, upload_id, 0, DATA)
            with killed_in(monkeypatch, target, name):
                engine.merge(upload_id)
            engine.merge(upload_id)
    else:
        upload_id = _half_merged(tmp_path, monkeypatch, target, name)
    with opened(tmp_path) as engine:
        engine.merge(upload_id)
        assert not engine.merge(upload_id).created
        assert content(engine, upload_id) == DATA
        recover(engine)
        assert list(check_store(engine, repair=False)) == []


WAYS_ON: list[Callable[[Engine, str], object]] = [
    Engine.upload,
    lambda engine, upload_id: send(engine, upload_id, 0, DATA),
    lambda engine, upload_id: engine.uploads(limit=9),
    lambda engine, upload_id: engine.merge(upload_id),
]


@pytest.mark.parametrize("go_on", WAYS_ON, ids=["look", "write", "list", "merge"])
def test_whoever_meets_a_merge_that_was_cut_off_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, go_on: Callable[[Engine, str], object]
) -> None:
    upload_id = _half_merged(tmp_path, monkeypatch, SqlCatalog, "publish")
    with opened(tmp_path) as engine:
        go_on(engine, upload_id)
        assert content(engine, upload_id) == DATA
        assert list(engine.blobs.uploads()) == []


def test_an_abort_of_a_merge_that_was_cut_off_leaves_nothing_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = _half_merged(tmp_path, monkeypatch, SqlCatalog, "publish")
    with opened(tmp_path) as engine:
        with pytest.raises(Exception, match="is merged"):
            engine.abort(upload_id)
        assert content(engine, upload_id) == DATA


def test_a_merge_after_an_abort_that_was_cut_off_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The abort got as far as the catalog while the merge was flushing."""
    with opened(tmp_path) as engine:
        upload_id = start(engine, len(DATA))
        send(engine, upload_id, 0, DATA)
        with monkeypatch.context() as patch:
            patch.setattr("storage.merging.SHORT_FLUSH", 0)
            patch.setattr(engine.blobs, "flush", engine.catalog.remove_upload)
            with pytest.raises(NoSuchUpload):
                engine.merge(upload_id)
        assert not engine.blobs.has_file(upload_id)
        assert recover(engine) == Recovered(orphans_removed=1)
        assert list(check_store(engine, repair=False)) == []


def test_a_merge_finished_after_a_power_cut_took_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = _half_merged(tmp_path, monkeypatch, SqlCatalog, "publish")
    (tmp_path / "uploads" / upload_id / "journal").unlink()
    (tmp_path / "uploads" / upload_id).rmdir()
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered(merges_finished=1)
        assert content(engine, upload_id) == DATA


def test_a_folder_of_no_upload_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as engine, monkeypatch.context() as patch:
        patch.setattr(UploadPaths, "remove", _die)
        patch.setattr(SqlCatalog, "add_upload", _die)
        with pytest.raises(Killed):
            start(engine, 100)
    assert len(os.listdir(tmp_path / "uploads")) == 1
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered(orphans_removed=1)
        assert list(engine.blobs.uploads()) == []
        assert list(check_store(engine, repair=False)) == []


def test_the_folder_of_an_aborted_upload_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as engine:
        upload_id = start(engine, 100)
        with killed_in(monkeypatch, LocalHeldUpload, "discard"):
            engine.abort(upload_id)
    with opened(tmp_path) as engine:
        with pytest.raises(NoSuchUpload):
            engine.upload(upload_id)
        assert recover(engine) == Recovered(orphans_removed=1)


@pytest.mark.parametrize("parts", [["journal"], ["data"], ["journal", "data"]], ids="+".join)
def test_a_folder_that_is_not_whole_is_made_anew(tmp_path: Path, parts: list[str]) -> None:
    """A power cut may take what was never flushed."""
    with opened(tmp_path) as engine:
        upload_id = start(engine, 100)
        send(engine, upload_id, 0, DATA)
    for part in parts:
        (tmp_path / "uploads" / upload_id / part).unlink()
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered(folders_mended=1)
        assert missing(engine, upload_id) == [0]
        send(engine, upload_id, 0, DATA[::-1])
        assert content(engine, engine.merge(upload_id).file.id) == DATA[::-1]


def test_a_power_cut_takes_back_what_was_not_flushed(tmp_path: Path) -> None:
    with opened(tmp_path, boot=b"1" * 16) as engine:
        upload_id = start(engine, 128 << 10)
        send(engine, upload_id, 0, b"a" * (64 << 10))
        engine.flush()
        send(engine, upload_id, 64 << 10, b"b" * (64 << 10))
        with opened(tmp_path, boot=b"2" * 16) as after:
            assert missing(after, upload_id) == [1]
            send(after, upload_id, 64 << 10, b"c" * (64 << 10))
            assert content(after, after.merge(upload_id).file.id) == b"a" * (64 << 10) + b"c" * (64 << 10)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        pytest.param(Engine, "finish_deletion", id="before the bytes went"),
        pytest.param(SqlCatalog, "forget_file", id="after the bytes went"),
    ],
)
def test_a_deletion_that_was_cut_off_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: object, name: str
) -> None:
    with opened(tmp_path) as engine:
        file = publish(engine, DATA)
        with killed_in(monkeypatch, target, name):
            engine.delete_file(file.id)
        for call in (engine.file, engine.delete_file, engine.open_file):
            with pytest.raises(NoSuchFile):
                call(file.id)
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered(deletions_finished=1)
        assert list(engine.blobs.files()) == []
        assert list(engine.catalog.retired_files()) == []
        assert engine.catalog.find_upload(file.id) is None


def test_nothing_is_touched_beside_another_process(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        upload_id = start(engine, 100)
        (tmp_path / "uploads" / upload_id / "data").unlink()
        with opened(tmp_path) as other:
            assert recover(other) is None
            assert not (tmp_path / "uploads" / upload_id / "data").exists()
        assert recover(engine) == Recovered(folders_mended=1)


def test_what_is_well_stays_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        upload_id, file = start(engine, 100), publish(engine, DATA)
        send(engine, upload_id, 0, DATA[:50])
    with opened(tmp_path) as engine:
        assert recover(engine) == Recovered()
        assert engine.upload(upload_id).uploaded_bytes == 50
        assert content(engine, file.id) == DATA


def test_one_upload_without_room_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as engine:
        large, small = start(engine, 1 << 20), start(engine, 100)
    for upload_id in (large, small):
        (tmp_path / "uploads" / upload_id / "data").unlink()
    with opened(tmp_path) as engine:
        monkeypatch.setattr(type(engine.blobs), "free_space", lambda _: 1000)
        assert recover(engine) == Recovered(folders_mended=1)
        assert missing(engine, small) == [0]
