"""Each kind of fault is provoked in a real data directory, told, mended, and then gone."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.blobs.local_upload import LocalHeldUpload, UploadPaths
from storage.catalog.sql import SqlCatalog
from storage.check import Finding, check_store
from storage.engine import Engine
from storage.errors import DataDirectoryError
from tests.engines import content, missing, opened, publish, send, start

ORPHAN = "0123456789abcdef" * 2
DATA = b"x" * 100

Harm = Callable[[Engine, Path, pytest.MonkeyPatch], str]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened(tmp_path) as engine:
        yield engine


def findings(engine: Engine, *, repair: bool = False) -> list[Finding]:
    return list(check_store(engine, repair=repair))


def codes(engine: Engine, *, repair: bool = False) -> list[str]:
    return [finding.fault.code for finding in findings(engine, repair=repair)]


def _arrived(engine: Engine) -> str:
    upload_id = start(engine, len(DATA))
    for offset in range(0, len(DATA), 25):
        send(engine, upload_id, offset, DATA[offset : offset + 25])
    return upload_id


def _damaged_record(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    upload_id = _arrived(engine)
    with (root / "uploads" / upload_id / "journal").open("r+b") as journal:
        journal.seek(96 + 10)
        journal.write(b"?")
    return upload_id


def _torn_record(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    upload_id = _arrived(engine)
    with (root / "uploads" / upload_id / "journal").open("ab") as journal:
        journal.write(b"torn")
    return upload_id


def _unfinished_deletion(engine: Engine, _: Path, patch: pytest.MonkeyPatch) -> str:
    file = publish(engine, DATA)
    with patch.context() as broken:
        broken.setattr(Engine, "finish_deletion", lambda *_: None)
        engine.delete_file(file.id)
    return file.id


def _half_made_merge(engine: Engine, _: Path, patch: pytest.MonkeyPatch) -> str:
    upload_id = _arrived(engine)
    with patch.context() as broken:
        broken.setattr(SqlCatalog, "publish", lambda *_: _cut())
        with pytest.raises(ConnectionError):
            engine.merge(upload_id)
    return upload_id


def _cut() -> None:
    raise ConnectionError


def _missing_folder(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    upload_id = _arrived(engine)
    UploadPaths(upload_id, root / "uploads" / upload_id, root).remove()
    return upload_id


def _missing_data(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    upload_id = _arrived(engine)
    (root / "uploads" / upload_id / "data").unlink()
    return upload_id


def _orphaned_folder(engine: Engine, _: Path, __: pytest.MonkeyPatch) -> str:
    engine.blobs.prepare(ORPHAN, 100)
    return ORPHAN


def _folder_of_a_merged_upload(engine: Engine, _: Path, patch: pytest.MonkeyPatch) -> str:
    with patch.context() as broken:
        broken.setattr(LocalHeldUpload, "discard", lambda _: None)
        return publish(engine, DATA).id


def _orphaned_file(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    (root / "files" / ORPHAN[:2]).mkdir()
    (root / "files" / ORPHAN[:2] / ORPHAN).write_bytes(DATA)
    return ORPHAN


MENDED = [
    pytest.param(_damaged_record, "damaged-record", id="damaged record"),
    pytest.param(_torn_record, "torn-record", id="torn record"),
    pytest.param(_unfinished_deletion, "unfinished-deletion", id="unfinished deletion"),
    pytest.param(_half_made_merge, "half-made-merge", id="half-made merge"),
    pytest.param(_missing_folder, "missing-folder", id="missing folder"),
    pytest.param(_missing_data, "missing-folder", id="missing data"),
    pytest.param(_orphaned_folder, "orphaned-folder", id="orphaned folder"),
    pytest.param(_folder_of_a_merged_upload, "orphaned-folder", id="folder of a merged upload"),
    pytest.param(_orphaned_file, "orphaned-file", id="orphaned file"),
]


def _missing_bytes(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    file = publish(engine, DATA)
    (root / "files" / file.id[:2] / file.id).unlink()
    return file.id


def _wrong_size(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    file = publish(engine, DATA)
    os.truncate(root / "files" / file.id[:2] / file.id, 99)
    return file.id


def _stray(relative: str) -> Harm:
    def harm(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
        (root / relative).parent.mkdir(exist_ok=True)
        (root / relative).touch()
        return relative

    return harm


def _stray_in_an_upload(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    relative = f"uploads/{start(engine, 10)}/other"
    (root / relative).touch()
    return relative


def _link_in_place_of_data(engine: Engine, root: Path, _: pytest.MonkeyPatch) -> str:
    relative = f"uploads/{start(engine, 10)}/data"
    (root / relative).rename(root / "elsewhere")
    (root / relative).symlink_to(root / "elsewhere")
    return relative


BY_HAND = [
    pytest.param(_missing_bytes, "missing-bytes", id="missing bytes"),
    pytest.param(_wrong_size, "wrong-size", id="wrong size"),
    pytest.param(_stray("uploads/notes.txt"), "stray-entry", id="stray among uploads"),
    pytest.param(_stray("files/notes.txt"), "stray-entry", id="stray among files"),
    pytest.param(_stray(f"files/ff/{ORPHAN}"), "stray-entry", id="file in another's folder"),
    pytest.param(_stray_in_an_upload, "stray-entry", id="stray in an upload"),
]


def test_a_healthy_directory_has_no_faults(engine: Engine) -> None:
    _arrived(engine)
    publish(engine, DATA)
    engine.delete_file(publish(engine, DATA).id)
    engine.abort(start(engine, 10))
    assert findings(engine) == findings(engine, repair=True) == []


@pytest.mark.parametrize(("harm", "code"), MENDED)
def test_a_fault_is_told_mended_and_gone(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm, code: str
) -> None:
    well = publish(engine, b"well")
    subject = harm(engine, tmp_path, monkeypatch)
    (told,) = findings(engine)
    assert (told.fault.code, told.fault.subject, told.mended) == (code, subject, False)
    assert "--repair would" in str(told)
    (mended,) = findings(engine, repair=True)
    assert (mended.fault.code, mended.fault.subject, mended.mended) == (code, subject, True)
    assert "; mended: " in str(mended)
    assert findings(engine) == []
    assert content(engine, well.id) == b"well"


@pytest.mark.parametrize(("harm", "code"), BY_HAND)
def test_a_fault_for_a_person_is_told_and_left_alone(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm, code: str
) -> None:
    subject = harm(engine, tmp_path, monkeypatch)
    before = _everything(tmp_path)
    (told,) = findings(engine, repair=True)
    assert (told.fault.code, told.fault.subject, told.mended) == (code, subject, False)
    assert "cannot be mended here" in str(told)
    assert _everything(tmp_path) == before


def _everything(root: Path) -> dict[str, object]:
    """Every name, and the bytes behind it; not the catalog's, which SQLite rearranges as it reads."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if not path.name.startswith("catalog.db")
    }


def _rows(engine: Engine) -> tuple[object, ...]:
    catalog = engine.catalog
    return list(catalog.open_uploads()), list(catalog.all_files()), list(catalog.retired_files())


def test_looking_changes_nothing(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for harm in (
        _damaged_record,
        _torn_record,
        _unfinished_deletion,
        _half_made_merge,
        _missing_folder,
        _missing_bytes,
        _wrong_size,
        _orphaned_folder,
    ):
        harm(engine, tmp_path, monkeypatch)
    before, rows = _everything(tmp_path), _rows(engine)
    assert len(findings(engine)) == 8
    assert (_everything(tmp_path), _rows(engine)) == (before, rows)


def test_what_a_damaged_record_said_is_asked_for_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = _damaged_record(engine, tmp_path, monkeypatch)
    findings(engine, repair=True)
    with opened(tmp_path) as again:
        assert [(span.start, span.stop) for span in again.upload(upload_id).arrived] == [(0, 25), (50, 100)]
        send(again, upload_id, 25, DATA[25:50])
        assert content(again, again.merge(upload_id).file.id) == DATA


def test_a_repaired_merge_is_a_file(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upload_id = _half_made_merge(engine, tmp_path, monkeypatch)
    findings(engine, repair=True)
    assert content(engine, upload_id) == DATA


def test_a_folder_made_anew_asks_for_everything(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = _missing_folder(engine, tmp_path, monkeypatch)
    findings(engine, repair=True)
    assert missing(engine, upload_id) == [0]


def test_a_file_that_no_catalog_knows_is_kept_aside(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _orphaned_file(engine, tmp_path, monkeypatch)
    findings(engine, repair=True)
    assert (tmp_path / "lost" / ORPHAN).read_bytes() == DATA


def test_a_fault_that_cannot_be_mended_says_why(engine: Engine, tmp_path: Path) -> None:
    upload_id = _missing_folder(engine, tmp_path, pytest.MonkeyPatch())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(engine.blobs), "free_space", lambda _: 0)
        (finding,) = findings(engine, repair=True)
    assert (finding.fault.subject, finding.mended) == (upload_id, False)
    assert "not mended: 100 bytes wanted" in str(finding)


def test_nothing_is_repaired_beside_another_process(engine: Engine, tmp_path: Path) -> None:
    with opened(tmp_path) as other:
        assert findings(other) == []
        with pytest.raises(DataDirectoryError, match="stop the server"):
            findings(other, repair=True)


def test_a_link_in_place_of_a_part_is_told_and_not_followed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = _link_in_place_of_data(engine, tmp_path, monkeypatch)
    (finding,) = findings(engine)
    assert (finding.fault.code, finding.fault.subject) == ("stray-entry", subject)
