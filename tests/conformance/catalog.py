"""What every catalog must do: the sentences of `storage.catalog.base`, one test each."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.catalog.base import Catalog, PageRequest
from storage.model import Cursor, File, Page, Upload, UploadStatus

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
THREADS = 8


def an_upload(*, at: datetime = NOON, owner: str = "ann", fingerprint: str | None = None) -> Upload:
    return Upload(
        id=uuid.uuid4().hex,
        owner=owner,
        filename="Straße ☃.bin",
        size=1 << 40,
        chunk_size=1 << 30,
        content_type="text/plain; charset=utf-8",
        fingerprint=fingerprint,
        sha256=bytes(range(32)),
        metadata={"author": "Ann", "nested": {"list": [1, None, "ß"]}},
        status=UploadStatus.OPEN,
        created_at=at,
    )


def file_of(upload: Upload, *, filename: str | None = None, at: datetime | None = None) -> File:
    return File(
        id=upload.id,
        owner=upload.owner,
        filename=filename or upload.filename,
        size=upload.size or 0,
        content_type=upload.content_type,
        sha256=upload.sha256,
        metadata=upload.metadata,
        created_at=at or upload.created_at,
    )


def add_file(catalog: Catalog, *, filename: str = "a.bin", at: datetime = NOON, owner: str = "ann") -> File:
    upload = catalog.add_upload(an_upload(at=at, owner=owner))
    file = catalog.publish(file_of(upload, filename=filename))
    assert file is not None
    return file


def add_ended(catalog: Catalog, status: UploadStatus) -> Upload:
    upload = catalog.add_upload(an_upload(fingerprint=uuid.uuid4().hex))
    if status is UploadStatus.MERGED:
        assert catalog.publish(file_of(upload))
    if status is UploadStatus.EXPIRED:
        assert catalog.expire_upload(upload.id)
    return upload


def all_pages(fetch: Callable[[Cursor | None], Page[Upload] | Page[File]], limit: int) -> list[str]:
    """The ids of all pages in a row, each page of the length it must have."""
    found: list[str] = []
    cursor: Cursor | None = None
    while True:
        page = fetch(cursor)
        found += [item.id for item in page.items]
        cursor = page.next
        if cursor is None:
            assert len(page.items) <= limit
            return found
        assert len(page.items) == limit


def at_once(call: Callable[[int], object]) -> list[object]:
    """What many threads get that call it at the same time."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(call, range(THREADS)))


def assert_pages_of_uploads(catalog: Catalog, moments: list[int], limit: int) -> None:
    """The pages in a row are all open uploads of one owner, newest first, ties by id."""
    added = [catalog.add_upload(an_upload(at=NOON + timedelta(0, 0, moment))) for moment in moments]
    catalog.add_upload(an_upload(owner="bob"))
    found = all_pages(lambda cursor: catalog.list_uploads(PageRequest("ann", limit, cursor)), limit)
    newest = sorted(added, key=lambda each: (each.created_at, each.id), reverse=True)
    assert found == [each.id for each in newest]


def assert_pages_of_files(catalog: Catalog, moments: list[int], limit: int) -> None:
    """The same for files, of those whose name contains what is wanted."""
    added = [add_file(catalog, at=NOON + timedelta(0, 0, moment), filename="Wanted") for moment in moments]
    add_file(catalog, owner="bob", filename="wanted")
    add_file(catalog, filename="other")
    found = all_pages(lambda cursor: catalog.list_files(PageRequest("ann", limit, cursor), "WANT"), limit)
    newest = sorted(added, key=lambda each: (each.created_at, each.id), reverse=True)
    assert found == [each.id for each in newest]


class CatalogSuite:
    """Derive from it, name the class `Test…`, and say how an empty catalog is made."""

    def fresh(self) -> AbstractContextManager[Catalog]:
        """Makes an empty catalog, closed at the end."""
        raise NotImplementedError

    @pytest.fixture
    def catalog(self) -> Iterator[Catalog]:
        with self.fresh() as catalog:
            yield catalog

    # uploads

    def test_what_was_added_is_found(self, catalog: Catalog) -> None:
        upload = an_upload(fingerprint="f")
        assert catalog.add_upload(upload) == upload
        assert catalog.find_upload(upload.id) == upload
        assert list(catalog.open_uploads()) == [upload]

    def test_what_may_be_unknown_stays_unknown(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(replace(an_upload(), size=None, sha256=None, metadata={}))
        assert catalog.find_upload(upload.id) == upload

    def test_what_is_not_there(self, catalog: Catalog) -> None:
        assert catalog.find_upload("0" * 32) is None
        assert catalog.find_file("0" * 32) is None
        assert not catalog.remove_upload("0" * 32)
        assert not catalog.expire_upload("0" * 32)
        assert not catalog.set_size("0" * 32, 1)
        assert not catalog.retire_file("0" * 32)
        assert catalog.publish(file_of(an_upload())) is None
        catalog.forget_file("0" * 32)
        assert list(catalog.all_files()) == []
        assert list(catalog.retired_files()) == []

    def test_the_same_file_is_one_upload(self, catalog: Catalog) -> None:
        first = catalog.add_upload(an_upload(fingerprint="f"))
        again = an_upload(fingerprint="f")
        assert catalog.find_same(again) == first
        assert catalog.add_upload(again) == first
        assert catalog.find_upload(again.id) is None

    @pytest.mark.parametrize(
        "change",
        [{"owner": "bob"}, {"fingerprint": "g"}, {"fingerprint": None}, {"size": 5}, {"chunk_size": 1 << 20}],
        ids=str,
    )
    def test_another_file_is_another_upload(self, catalog: Catalog, change: dict[str, object]) -> None:
        catalog.add_upload(an_upload(fingerprint="f"))
        other = replace(an_upload(fingerprint="f"), **change)  # type: ignore[arg-type]  # fields by name
        assert catalog.find_same(other) is None
        assert catalog.add_upload(other) == other

    def test_without_a_fingerprint_no_two_are_the_same(self, catalog: Catalog) -> None:
        first, second = catalog.add_upload(an_upload()), catalog.add_upload(an_upload())
        assert first.id != second.id

    def test_uploads_of_unknown_size_can_be_the_same(self, catalog: Catalog) -> None:
        first, again = (replace(an_upload(fingerprint="f"), size=None) for _ in range(2))
        assert catalog.add_upload(first) == catalog.add_upload(again) == first

    @pytest.mark.parametrize("status", [UploadStatus.MERGED, UploadStatus.EXPIRED])
    def test_an_ended_upload_is_not_the_same(self, catalog: Catalog, status: UploadStatus) -> None:
        again = replace(add_ended(catalog, status), id=uuid.uuid4().hex)
        assert catalog.find_same(again) is None
        assert catalog.add_upload(again) == again

    def test_many_threads_add_one_upload(self, catalog: Catalog) -> None:
        added = at_once(lambda _: catalog.add_upload(an_upload(fingerprint="f")).id)
        assert len(set(added)) == 1
        assert len(list(catalog.open_uploads())) == 1

    def test_a_size_is_set_once(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(replace(an_upload(), size=None))
        assert catalog.set_size(upload.id, 7)
        assert not catalog.set_size(upload.id, 8)
        assert catalog.find_upload(upload.id) == replace(upload, size=7)

    def test_a_size_that_makes_it_the_same_as_another_drops_its_fingerprint(self, catalog: Catalog) -> None:
        unknown = catalog.add_upload(replace(an_upload(fingerprint="f"), size=None))
        known = catalog.add_upload(replace(an_upload(fingerprint="f"), size=7))
        assert catalog.set_size(unknown.id, 7)
        assert catalog.find_upload(unknown.id) == replace(unknown, size=7, fingerprint=None)
        assert catalog.find_same(known) == known

    def test_one_of_many_threads_sets_the_size(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(replace(an_upload(), size=None))
        won = at_once(lambda size: catalog.set_size(upload.id, size))
        found = catalog.find_upload(upload.id)
        assert sum(map(bool, won)) == 1
        assert found == replace(upload, size=won.index(True))

    def test_one_of_many_threads_expires_an_upload(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(an_upload())
        assert sorted(map(bool, at_once(lambda _: catalog.expire_upload(upload.id))))[-2:] == [False, True]
        assert catalog.find_upload(upload.id) == replace(upload, status=UploadStatus.EXPIRED)
        assert list(catalog.open_uploads()) == []

    def test_a_merged_upload_neither_expires_nor_goes_nor_grows(self, catalog: Catalog) -> None:
        upload = add_ended(catalog, UploadStatus.MERGED)
        assert not catalog.expire_upload(upload.id)
        assert not catalog.remove_upload(upload.id)
        assert not catalog.set_size(upload.id, 1)
        assert catalog.find_upload(upload.id) == replace(upload, status=UploadStatus.MERGED)

    @pytest.mark.parametrize("status", [UploadStatus.OPEN, UploadStatus.EXPIRED])
    def test_a_removed_upload_is_forgotten(self, catalog: Catalog, status: UploadStatus) -> None:
        upload = add_ended(catalog, status)
        assert catalog.remove_upload(upload.id)
        assert not catalog.remove_upload(upload.id)
        assert catalog.find_upload(upload.id) is None

    def test_only_expired_uploads_of_that_age_are_purged(self, catalog: Catalog) -> None:
        old, young, still_open = (
            catalog.add_upload(an_upload(at=at))
            for at in (NOON - timedelta(microseconds=1), NOON, NOON - timedelta(days=9))
        )
        merged = add_file(catalog, at=NOON - timedelta(days=9))
        for upload in (old, young):
            catalog.expire_upload(upload.id)
        catalog.purge_expired(NOON)
        assert catalog.find_upload(old.id) is None
        for kept in (young, still_open, merged):
            assert catalog.find_upload(kept.id) is not None

    # files

    def test_publishing_makes_a_file(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(an_upload())
        file = file_of(upload, at=NOON + timedelta(hours=1))
        assert catalog.publish(file) == file
        assert catalog.find_file(file.id) == file
        assert list(catalog.all_files()) == [file]
        assert list(catalog.open_uploads()) == []
        assert catalog.find_upload(upload.id) == replace(upload, status=UploadStatus.MERGED)

    def test_publishing_again_changes_nothing(self, catalog: Catalog) -> None:
        file = add_file(catalog)
        assert catalog.publish(replace(file, filename="other", created_at=NOON + timedelta(1))) == file
        assert list(catalog.all_files()) == [file]

    def test_many_threads_publish_one_file(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(an_upload())
        files = at_once(lambda n: catalog.publish(file_of(upload, at=NOON + timedelta(n))))
        assert all(file == catalog.find_file(upload.id) for file in files)

    def test_an_expired_upload_is_not_published(self, catalog: Catalog) -> None:
        upload = add_ended(catalog, UploadStatus.EXPIRED)
        assert catalog.publish(file_of(upload)) is None
        assert catalog.find_file(upload.id) is None

    def test_either_published_or_expired(self, catalog: Catalog) -> None:
        upload = catalog.add_upload(an_upload())
        at_once(lambda n: catalog.publish(file_of(upload)) if n % 2 else catalog.expire_upload(upload.id))
        found = catalog.find_upload(upload.id)
        assert found is not None
        assert (found.status is UploadStatus.MERGED) == (catalog.find_file(upload.id) is not None)

    def test_a_retired_file_is_hidden_and_remembered(self, catalog: Catalog) -> None:
        file = add_file(catalog)
        assert catalog.retire_file(file.id)
        assert catalog.find_file(file.id) is None
        assert catalog.publish(file) is None
        assert list(catalog.all_files()) == []
        assert catalog.list_files(PageRequest("ann", 9)).items == ()
        assert list(catalog.retired_files()) == [file.id]
        assert catalog.find_upload(file.id) is not None

    def test_one_of_many_threads_retires_a_file(self, catalog: Catalog) -> None:
        file = add_file(catalog)
        assert sum(map(bool, at_once(lambda _: catalog.retire_file(file.id)))) == 1

    def test_a_forgotten_file_is_gone_with_its_upload(self, catalog: Catalog) -> None:
        file = add_file(catalog)
        catalog.retire_file(file.id)
        catalog.forget_file(file.id)
        catalog.forget_file(file.id)
        assert list(catalog.retired_files()) == []
        assert catalog.find_upload(file.id) is None

    def test_only_a_retired_file_is_forgotten(self, catalog: Catalog) -> None:
        file = add_file(catalog)
        catalog.forget_file(file.id)
        assert catalog.find_file(file.id) == file

    # lists

    def test_a_page_goes_on_though_its_last_item_went(self, catalog: Catalog) -> None:
        uploads = [catalog.add_upload(an_upload(at=NOON + timedelta(n))) for n in range(3)]
        page = catalog.list_uploads(PageRequest("ann", 1))
        catalog.remove_upload(uploads[2].id)
        catalog.add_upload(an_upload(at=NOON + timedelta(9)))
        rest = catalog.list_uploads(PageRequest("ann", 9, page.next))
        assert list(rest.items) == [uploads[1], uploads[0]]

    @pytest.mark.parametrize("status", [UploadStatus.MERGED, UploadStatus.EXPIRED])
    def test_only_open_uploads_are_listed(self, catalog: Catalog, status: UploadStatus) -> None:
        add_ended(catalog, status)
        assert catalog.list_uploads(PageRequest("ann", 9)) == Page((), None)

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            pytest.param("", {"100%.txt", "a_b", "Straße", "ΣΊΣΥΦΟΣ", "back\\slash", "é"}, id="nothing"),
            pytest.param("%", {"100%.txt"}, id="percent"),
            pytest.param("_", {"a_b"}, id="underscore"),
            pytest.param("A_B", {"a_b"}, id="case"),
            pytest.param("axb", set(), id="underscore is no wildcard"),
            pytest.param("strasse", {"Straße"}, id="sharp s"),
            pytest.param("STRASSE", {"Straße"}, id="capital sharp s"),
            pytest.param("aß", {"Straße"}, id="sharp s itself"),
            pytest.param("σίσυφος", {"ΣΊΣΥΦΟΣ"}, id="final sigma"),
            pytest.param("\\", {"back\\slash"}, id="backslash"),
            pytest.param("É", {"é"}, id="accent"),
            pytest.param("' OR 1=1", set(), id="quote"),
            pytest.param("/", set(), id="slash"),
        ],
    )
    def test_files_are_found_by_a_part_of_their_name(
        self, catalog: Catalog, wanted: str, found: set[str]
    ) -> None:
        for filename in ("100%.txt", "a_b", "Straße", "ΣΊΣΥΦΟΣ", "back\\slash", "é"):
            add_file(catalog, filename=filename)
        page = catalog.list_files(PageRequest("ann", 9), wanted)
        assert {file.filename for file in page.items} == found

    # the catalog itself

    def test_a_catalog_is_well(self, catalog: Catalog) -> None:
        add_file(catalog)
        catalog.check()
        assert list(catalog.faults()) == []
