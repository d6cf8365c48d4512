"""Of the blob store suite: making an upload, writing ranges, one writer per byte."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from storage.blobs.base import BlobStore
from storage.errors import InsufficientStorage, NoSuchBlob, RangeLocked
from tests.conformance.blob_pieces import SIZE, TEXT, Opening, arrived, prepared, put, read, span
from tests.pipes import filled_pipe


class WritingSuite(Opening):
    """From `prepare` to `commit`."""

    # prepare

    def test_a_prepared_upload_is_empty(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        assert arrived(store, upload_id) == []
        assert list(store.uploads()) == [upload_id]
        assert not store.has_file(upload_id)

    def test_preparing_again_changes_nothing(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT)
        assert other.prepare(upload_id, SIZE) is False
        assert arrived(store, upload_id) == [(0, SIZE)]
        assert read(store.open_upload(upload_id)) == TEXT

    def test_a_prepared_size_is_taken_from_the_free_space(self, store: BlobStore) -> None:
        upload_id = prepared(store, 1 << 20)
        with store.open_upload(upload_id) as blob:
            assert blob.size == 1 << 20

    def test_an_upload_of_unknown_size_grows(self, store: BlobStore) -> None:
        upload_id = prepared(store, None)
        put(store, upload_id, 0, TEXT)
        assert store.prepare(upload_id, 2 * SIZE) is False
        with store.open_upload(upload_id) as blob:
            assert blob.size == 2 * SIZE
            assert blob.stream.read(SIZE) == TEXT

    def test_what_has_no_room_leaves_nothing(self, store: BlobStore) -> None:
        upload_id = uuid.uuid4().hex
        with pytest.raises(InsufficientStorage):
            store.prepare(upload_id, store.free_space() + (1 << 20))
        assert list(store.uploads()) == []
        with pytest.raises(NoSuchBlob):
            store.arrived(upload_id)

    def test_an_upload_that_cannot_grow_stays_as_it_was(self, store: BlobStore) -> None:
        upload_id = prepared(store, None)
        put(store, upload_id, 0, TEXT)
        with pytest.raises(InsufficientStorage):
            store.prepare(upload_id, store.free_space() + (1 << 20))
        assert arrived(store, upload_id) == [(0, SIZE)]

    # what is not there

    @pytest.mark.parametrize("blob_id", ["0" * 32, "", "..", "../format", "A" * 32, "0" * 31 + "/", "0" * 33])
    def test_what_is_not_there(self, store: BlobStore, blob_id: str) -> None:
        for call in (store.arrived, store.open_upload, store.flush, store.open_file):
            with pytest.raises(NoSuchBlob):
                call(blob_id)
        with pytest.raises(NoSuchBlob):
            store.hold(blob_id, 0)
        with pytest.raises(NoSuchBlob):
            store.open_writer(blob_id, span(0, 1))

    # writing

    def test_nothing_has_arrived_before_the_commit(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(0, 100)) as writer:
            writer.write(0, memoryview(TEXT[:100]))
            assert arrived(other, upload_id) == []
            writer.commit(writer.span, None)
            assert arrived(other, upload_id) == [(0, 100)]
        assert read(other.open_upload(upload_id))[:100] == TEXT[:100]

    def test_bytes_may_come_in_a_pipe(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(100, 300)) as writer, filled_pipe(TEXT[100:300]) as pipe:
            writer.write_piped(100, pipe, 120)
            writer.write_piped(220, pipe, 80)
            writer.commit(writer.span, None)
        assert read(store.open_upload(upload_id))[100:300] == TEXT[100:300]

    def test_piped_bytes_stay_inside_the_range(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(100, 300)) as writer, filled_pipe(TEXT[:300]) as pipe:
            for offset, count in ((99, 10), (299, 2), (300, 1)):
                with pytest.raises(ValueError, match="outside"):
                    writer.write_piped(offset, pipe, count)

    def test_what_was_not_committed_has_not_arrived(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(0, 100)) as writer:
            writer.write(0, memoryview(TEXT[:100]))
        assert arrived(store, upload_id) == []

    def test_a_part_of_the_range_can_be_committed(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(0, 100)) as writer:
            writer.write(0, memoryview(TEXT[:30]))
            writer.commit(span(0, 30), None)
        assert arrived(store, upload_id) == [(0, 30)]

    def test_ranges_come_in_any_order(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        for start in (900, 0, 500, 400):
            put(store if start % 200 else other, upload_id, start, TEXT[start : start + 100])
        assert arrived(store, upload_id) == arrived(other, upload_id) == [(0, 100), (400, 600), (900, 1000)]

    def test_a_writer_knows_what_had_arrived(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT[:100])
        with other.open_writer(upload_id, span(50, 200)) as writer:
            assert list(writer.arrived.ranges) == [span(0, 100)]
            assert writer.read(50, 50) == TEXT[50:100]

    def test_a_writer_reads_what_it_wrote(self, store: BlobStore) -> None:
        upload_id = prepared(store, None)
        with store.open_writer(upload_id, span(0, 100)) as writer:
            writer.write(0, memoryview(TEXT[:60]))
            assert writer.read(10, 10) == TEXT[10:20]
            assert writer.read(50, 100) == TEXT[50:60]

    def test_a_writer_stays_inside_its_range(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(10, 20)) as writer:
            for offset, length in [(9, 1), (20, 1), (10, 11)]:
                with pytest.raises(ValueError, match="outside"):
                    writer.write(offset, memoryview(bytes(length)))

    def test_a_verified_digest_is_told(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        put(store, upload_id, 0, TEXT[:10], b"d" * 32)
        put(store, upload_id, 10, TEXT[10:20])
        assert other.arrived(upload_id).digests == {span(0, 10): b"d" * 32}

    def test_arrived_is_a_snapshot(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        before = store.arrived(upload_id)
        put(store, upload_id, 0, TEXT[:10], b"d" * 32)
        assert (list(before.ranges), before.digests) == ([], {})

    def test_the_last_activity_is_the_last_byte(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        first = store.arrived(upload_id).last_activity
        put(store, upload_id, 0, TEXT)
        last = store.arrived(upload_id).last_activity
        assert first <= last
        assert abs(datetime.now(UTC) - last) < timedelta(minutes=1)

    # one writer per byte

    @pytest.mark.parametrize(
        ("start", "stop"), [(100, 200), (0, 101), (199, 300), (150, 160), (0, 1000)], ids=str
    )
    def test_a_range_has_one_writer(self, store: BlobStore, other: BlobStore, start: int, stop: int) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(100, 200)):
            for each in (store, other):
                with pytest.raises(RangeLocked) as refusal:
                    each.open_writer(upload_id, span(start, stop))
                assert refusal.value.span == span(start, stop)
        other.open_writer(upload_id, span(start, stop)).close()

    def test_other_ranges_are_free(self, store: BlobStore, other: BlobStore) -> None:
        upload_id, another = prepared(store), prepared(store)
        with (
            store.open_writer(upload_id, span(100, 200)),
            store.open_writer(upload_id, span(0, 100)),
            other.open_writer(upload_id, span(200, 300)),
            other.open_writer(another, span(100, 200)),
        ):
            pass

    def test_closing_one_writer_leaves_the_others_their_ranges(
        self, store: BlobStore, other: BlobStore
    ) -> None:
        upload_id = prepared(store)
        with store.open_writer(upload_id, span(0, 100)):
            store.open_writer(upload_id, span(100, 200)).close()
            read(store.open_upload(upload_id))
            with pytest.raises(RangeLocked):
                other.open_writer(upload_id, span(0, 100))

    def test_closing_twice_is_harmless(self, store: BlobStore) -> None:
        upload_id = prepared(store)
        writer = store.open_writer(upload_id, span(0, 100))
        writer.close()
        with store.open_writer(upload_id, span(0, 100)):
            writer.close()
            with pytest.raises(RangeLocked):
                store.open_writer(upload_id, span(0, 100))

    def test_many_writers_at_once(self, store: BlobStore, other: BlobStore) -> None:
        upload_id = prepared(store)
        with ThreadPoolExecutor(8) as threads:
            for at in range(0, SIZE, 10):
                threads.submit(put, store if at % 20 else other, upload_id, at, TEXT[at : at + 10])
        assert arrived(store, upload_id) == [(0, SIZE)]
        assert read(store.open_upload(upload_id)) == TEXT
