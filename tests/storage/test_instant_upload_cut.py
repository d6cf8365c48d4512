"""An instant upload, or a merge with a tree digest, is cut off at any step: nothing is lost or made up."""

import subprocess
import sys
from pathlib import Path

import pytest

from storage.catalog.sql import SqlCatalog
from storage.check import check_store
from storage.recovery import Recovered, recover
from tests.engines import content, opened
from tests.instant_uploads import DATA, OTHER_DATA, TREE_DIGEST, instant, publish, send_chunks, tree_digest_of

KILLED = """
import os, signal, sys
from pathlib import Path
from storage.blobs import local
from storage.blobs.durable import try_link
from storage.blobs.local import LocalBlobStore
from storage.blobs.local_upload import LocalHeldUpload
from storage.catalog.sql import SqlCatalog
from tests.engines import opened
from tests.instant_uploads import NEW
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def link_and_die(source, target):
    die(try_link(source, target))
with opened(Path(sys.argv[1])) as engine:
    {death}
    engine.create(NEW)
"""

LINKED = "local.try_link = link_and_die"

STEPS = [
    pytest.param("SqlCatalog.add_upload = die", Recovered(orphans_removed=1), [], id="before the row"),
    pytest.param("LocalBlobStore.share_file = die", Recovered(), ["open"], id="before the link"),
    pytest.param("Path.hardlink_to = die", Recovered(), ["open"], id="at the link"),
    pytest.param(LINKED, Recovered(merges_finished=1), ["merged"], id="between link and data"),
    pytest.param(
        "SqlCatalog.publish = die", Recovered(merges_finished=1), ["merged"], id="before the catalog"
    ),
    pytest.param("LocalHeldUpload.discard = die", Recovered(orphans_removed=1), ["merged"], id="at the end"),
]


def _kill(root: Path, death: str) -> list[str]:
    """Publish the original, and kill a process that shares it: the ids of all uploads but the original's."""
    with opened(root) as engine:
        original = publish(engine).id
    command = [sys.executable, "-c", KILLED.format(death=death), str(root)]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode == -9
    with opened(root) as engine, engine.catalog.reading() as connection:  # type: ignore[attr-defined]  # SQL
        rows = connection.exec_driver_sql("SELECT id FROM uploads").scalars().all()
    return [each for each in rows if each != original]


@pytest.mark.parametrize(("death", "recovered", "statuses"), STEPS)
def test_a_cut_is_undone_or_finished(
    tmp_path: Path, death: str, recovered: Recovered, statuses: list[str]
) -> None:
    left = _kill(tmp_path, death)
    with opened(tmp_path) as engine:
        assert recover(engine) == recovered
        assert list(check_store(engine, repair=False)) == []
        assert [engine.upload(each).upload.status for each in left] == statuses
        for upload_id in left:
            if engine.upload(upload_id).file is None:
                send_chunks(engine, upload_id, DATA)
            assert engine.merge(upload_id).file.sha256 is None
            assert content(engine, upload_id) == DATA
        assert content(engine, instant(engine).id) == DATA
        assert len(engine.files(limit=9).items) == 2 + len(left)


def test_a_cut_after_the_link_is_finished_by_a_look(tmp_path: Path) -> None:
    """Where other workers go on, nobody recovers before the next start."""
    (left,) = _kill(tmp_path, "SqlCatalog.publish = die")
    with opened(tmp_path) as engine:
        assert engine.uploads(limit=9).items == ()
        assert content(engine, left) == DATA
        assert list(check_store(engine, repair=False)) == []


def test_bytes_that_are_sent_after_a_cut_are_the_file(tmp_path: Path) -> None:
    """Whoever finds an open upload may fill it, whatever a cut has left beside it."""
    (left,) = _kill(tmp_path, LINKED)
    with opened(tmp_path) as engine:
        send_chunks(engine, left, OTHER_DATA)
        file = engine.merge(left).file
        assert content(engine, file.id) == OTHER_DATA
        assert file.tree_digest == tree_digest_of(OTHER_DATA)
        assert content(engine, instant(engine).id) == DATA


def test_a_file_that_a_cut_left_behind_has_no_digest_of_other_bytes(tmp_path: Path) -> None:
    (left,) = _kill(tmp_path, LINKED)
    with opened(tmp_path) as engine:
        send_chunks(engine, left, OTHER_DATA)
        recover(engine)
        assert engine.file(left).tree_digest is None
        assert content(engine, left) == DATA


# a merge cut off keeps what it knew


class Killed(BaseException):
    """The process ends here."""


def test_a_merge_that_is_finished_later_knows_its_tree_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise Killed

    with opened(tmp_path, boot=b"1" * 16) as engine, monkeypatch.context() as patch:
        patch.setattr(SqlCatalog, "publish", die)
        with pytest.raises(Killed):
            publish(engine)
    with opened(tmp_path, boot=b"2" * 16) as engine:
        assert recover(engine) == Recovered(merges_finished=1)
        (file,) = engine.files(limit=9).items
        assert file.tree_digest == TREE_DIGEST
        assert content(engine, instant(engine).id) == DATA
