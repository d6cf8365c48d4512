"""Of the blob store suite: one sequence of bytes under two ids."""

import uuid

import pytest

from storage.blobs.base import BlobStore
from storage.errors import NoSuchBlob
from tests.conformance.blob_pieces import SIZE, TEXT, Opening, prepared, published, put, read, span


class SharingSuite(Opening):
    """`share_file`, and what a published upload still knows of its digests."""

    def test_a_shared_file_is_there_under_both_ids(self, store: BlobStore, other: BlobStore) -> None:
        file_id, new_id = published(store), uuid.uuid4().hex
        assert store.share_file(file_id, new_id) is True
        for each in (store, other):
            assert sorted(each.files()) == sorted([file_id, new_id])
            assert read(each.open_file(file_id)) == read(each.open_file(new_id)) == TEXT

    @pytest.mark.parametrize("first", [0, 1], ids=["the older first", "the newer first"])
    def test_deleting_one_leaves_the_other(self, store: BlobStore, other: BlobStore, first: int) -> None:
        ids = [published(store), uuid.uuid4().hex]
        store.share_file(*ids)
        other.delete_file(ids.pop(first))
        assert list(store.files()) == ids
        assert read(store.open_file(ids[0])) == TEXT
        store.delete_file(ids[0])
        assert list(store.files()) == []

    def test_a_shared_file_can_be_shared(self, store: BlobStore) -> None:
        ids = [published(store), uuid.uuid4().hex, uuid.uuid4().hex]
        store.share_file(ids[0], ids[1])
        store.delete_file(ids[0])
        store.share_file(ids[1], ids[2])
        assert read(store.open_file(ids[2])) == TEXT

    def test_sharing_takes_no_space(self, store: BlobStore) -> None:
        file_id = published(store, bytes(1 << 20))
        before = store.free_space()
        for _ in range(8):
            store.share_file(file_id, uuid.uuid4().hex)
        assert store.free_space() > before - (1 << 20)

    def test_an_empty_file_is_shared(self, store: BlobStore) -> None:
        file_id, new_id = published(store, b""), uuid.uuid4().hex
        assert store.share_file(file_id, new_id)
        assert read(store.open_file(new_id)) == b""

    def test_what_is_gone_is_not_shared(self, store: BlobStore) -> None:
        file_id, new_id = published(store), uuid.uuid4().hex
        store.delete_file(file_id)
        for missing in (file_id, "0" * 32, "../format"):
            with pytest.raises(NoSuchBlob):
                store.share_file(missing, new_id)
        assert not store.has_file(new_id)

    def test_an_upload_whose_id_got_a_file_can_only_be_held_and_discarded(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        file_id, upload_id = published(store), prepared(store, None)
        with other.open_writer(upload_id, span(0, 10)) as late:
            with store.hold(upload_id, 0):
                store.share_file(file_id, upload_id)
            for each in (store, other):
                with pytest.raises(NoSuchBlob):
                    each.arrived(upload_id)
                with pytest.raises(NoSuchBlob):
                    each.open_writer(upload_id, span(10, 20))
            with other.hold(upload_id, 0) as held:
                held.publish(SIZE)
                held.discard()
            with pytest.raises(NoSuchBlob):
                late.write(0, memoryview(b"x" * 10))
        assert list(store.uploads()) == []
        assert read(store.open_file(upload_id)) == read(store.open_file(file_id)) == TEXT

    def test_the_digests_of_a_published_upload_are_known_until_it_is_discarded(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT[:100], b"a" * 32)
        put(store, upload_id, 100, TEXT[100:200], b"b" * 32)
        put(store, upload_id, 200, TEXT[200:])
        with store.hold(upload_id, 0) as held:
            held.publish(SIZE)
        with other.hold(upload_id, 0) as held:
            held.publish(SIZE)
            assert held.published_digests() == {span(0, 100): b"a" * 32, span(100, 200): b"b" * 32}
            held.discard()
