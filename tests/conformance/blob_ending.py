"""Of the blob store suite: holding, publishing and discarding an upload; files; the store itself."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.blobs.base import BlobStore
from storage.errors import NoSuchBlob, RangeLocked, UploadLocked
from tests.conformance.blob_pieces import SIZE, TEXT, Opening, arrived, prepared, published, put, read, span


class EndingSuite(Opening):
    """From `hold` to `delete_file`."""

    # holding

    def test_one_holds_an_upload(self, store: BlobStore, other: BlobStore) -> None:
        upload_id, another = prepared(store), prepared(store)
        with store.hold(upload_id, 0):
            for each in (store, other):
                with pytest.raises(UploadLocked) as refusal:
                    each.hold(upload_id, 0)
                assert refusal.value.upload_id == upload_id
            other.hold(another, 0).close()
        other.hold(upload_id, 0).close()

    def test_who_holds_in_time_gets_it(self, store: BlobStore, other: BlobStore) -> None:
        upload_id, waiting = prepared(store), threading.Event()

        def wait() -> bool:
            waiting.set()
            with other.hold(upload_id, 60):
                return True

        with ThreadPoolExecutor(1) as thread:
            with store.hold(upload_id, 0):
                result = thread.submit(wait)
                waiting.wait()
                assert not result.done()
            assert result.result()

    def test_a_held_upload_takes_no_commit(self, store: BlobStore, other: BlobStore) -> None:
        upload_id, written = prepared(store), threading.Event()

        def write() -> None:
            with other.open_writer(upload_id, span(0, 10)) as writer:
                writer.write(0, memoryview(TEXT[:10]))
                written.set()
                writer.commit(writer.span, None)

        with ThreadPoolExecutor(1) as thread:
            with store.hold(upload_id, 0) as held:
                result = thread.submit(write)
                written.wait()
                assert list(held.arrived().ranges) == []
            result.result()
        assert arrived(store, upload_id) == [(0, 10)]

    # publishing

    def test_a_published_upload_is_a_file(self, store: BlobStore, other: BlobStore) -> None:
        file_id = published(store)
        for each in (store, other):
            assert each.has_file(file_id)
            assert read(each.open_file(file_id)) == TEXT
            assert (list(each.files()), list(each.uploads())) == ([file_id], [])

    def test_an_empty_file(self, store: BlobStore) -> None:
        file_id = published(store, b"")
        with store.open_file(file_id) as blob:
            assert (blob.size, blob.stream.read()) == (0, b"")

    def test_only_the_first_bytes_are_published(self, store: BlobStore) -> None:
        upload_id = prepared(store, None)
        put(store, upload_id, 0, TEXT)
        with store.hold(upload_id, 0) as held:
            held.publish(300)
            held.discard()
        assert read(store.open_file(upload_id)) == TEXT[:300]

    def test_a_published_upload_can_only_be_held_and_discarded(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT)
        with store.hold(upload_id, 0) as held:
            held.publish(SIZE)
        for each in (store, other):
            for call in (each.arrived, each.open_upload):
                with pytest.raises(NoSuchBlob):
                    call(upload_id)
            with pytest.raises(NoSuchBlob):
                each.open_writer(upload_id, span(0, SIZE))
        with other.hold(upload_id, 0) as held:
            held.discard()
        with pytest.raises(NoSuchBlob):
            store.hold(upload_id, 0)
        assert read(store.open_file(upload_id)) == TEXT

    def test_publishing_again_changes_nothing(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT)
        for each in (store, other):
            with each.hold(upload_id, 0) as held:
                held.publish(SIZE)
        assert read(store.open_file(upload_id)) == TEXT

    def test_nothing_is_published_while_bytes_after_it_are_being_written(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        """Whoever appends to an upload of unknown size must not find himself appending to a file."""
        upload_id = prepared(store, None)
        with other.open_writer(upload_id, span(0, SIZE)) as writer:
            writer.write(0, memoryview(TEXT[:300]))
            writer.commit(span(0, 300), None)
            with store.hold(upload_id, 0) as held, pytest.raises(RangeLocked):
                held.publish(300)
            assert not store.has_file(upload_id)
            writer.write(300, memoryview(TEXT[300:]))
            writer.commit(span(300, SIZE), None)
        assert arrived(store, upload_id) == [(0, SIZE)]

    # discarding

    def test_a_discarded_upload_is_gone(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT)
        with store.hold(upload_id, 0) as held:
            held.discard()
        for each in (store, other):
            assert list(each.uploads()) == []
            with pytest.raises(NoSuchBlob):
                each.arrived(upload_id)

    def test_discarding_frees_the_space(self, store: BlobStore) -> None:
        upload_id = prepared(store, 4 << 20)
        before = store.free_space()
        with store.hold(upload_id, 0) as held:
            held.discard()
        assert store.free_space() >= before

    def test_a_writer_under_way_learns_of_it(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(0, 100)) as writer:
            writer.write(0, memoryview(TEXT[:50]))
            with other.hold(upload_id, 0) as held:
                held.discard()
            with pytest.raises(NoSuchBlob):
                writer.write(50, memoryview(TEXT[50:100]))
            with pytest.raises(NoSuchBlob):
                writer.commit(span(0, 50), None)
        assert list(store.uploads()) == []

    def test_who_waited_for_a_discarded_upload_learns_of_it(self, store: BlobStore, other: BlobStore) -> None:
        upload_id, waiting = prepared(store), threading.Event()

        def wait() -> None:
            waiting.set()
            other.hold(upload_id, 60)

        with ThreadPoolExecutor(1) as thread:
            with store.hold(upload_id, 0) as held:
                result = thread.submit(wait)
                waiting.wait()
                held.discard()
            with pytest.raises(NoSuchBlob):
                result.result()

    def test_remains_are_removed(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        store.remove_remains(upload_id)
        store.remove_remains(upload_id)
        assert list(store.uploads()) == []

    # files

    def test_a_reader_reads_on_after_the_file_is_deleted(self, store: BlobStore, other: BlobStore) -> None:
        file_id = published(store)
        with store.open_file(file_id) as blob:
            first = blob.stream.read(10)
            other.delete_file(file_id)
            assert first + blob.stream.read() == TEXT
        assert not store.has_file(file_id)
        assert list(store.files()) == []
        with pytest.raises(NoSuchBlob):
            store.open_file(file_id)

    def test_a_reader_of_an_upload_reads_on_after_its_end(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT)
        with store.open_upload(upload_id) as blob:
            with store.hold(upload_id, 0) as held:
                held.publish(SIZE)
                held.discard()
            store.delete_file(upload_id)
            assert blob.stream.read() == TEXT

    def test_deleting_what_is_not_there_is_nothing(self, store: BlobStore) -> None:
        file_id = published(store)
        store.delete_file(file_id)
        store.delete_file(file_id)
        store.delete_file("0" * 32)

    def test_each_opening_has_its_own_position(self, store: BlobStore) -> None:
        file_id = published(store)
        with store.open_file(file_id) as one, store.open_file(file_id) as two:
            one.stream.seek(500)
            assert two.stream.read(10) == TEXT[:10]
            assert one.stream.read(10) == TEXT[500:510]

    def test_a_file_set_aside_is_not_in_the_store(self, store: BlobStore) -> None:
        file_id = published(store)
        store.set_aside(file_id)
        assert not store.has_file(file_id)
        assert list(store.files()) == []

    # the store itself

    def test_a_flush_keeps_what_has_arrived(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT[:100])
        with store.open_writer(upload_id, span(100, 200)) as writer:
            other.flush(upload_id)
            writer.write(100, memoryview(TEXT[100:200]))
            writer.commit(writer.span, None)
        store.flush(upload_id)
        assert arrived(other, upload_id) == [(0, 200)]
        assert [each.arrived(upload_id).unflushed for each in (store, other)] == [0, 0]

    def test_a_store_with_room_is_well(self, store: BlobStore) -> None:
        published(store)
        prepared(store)
        store.check()
        assert store.free_space() > 0
        assert list(store.faults()) == []

    def test_whoever_is_alone_can_work(self, store: BlobStore) -> None:
        with store.alone() as alone:
            assert alone
            published(store)
