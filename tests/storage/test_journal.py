"""The journal: what a record looks like, what it takes to believe one, and what a power cut takes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.blobs.journal import RECORD_SIZE, Flag, JournalState, Kind, Record, decode, encode
from storage.model import ByteRange
from storage.ranges import RangeSet

UPLOAD, OTHER_UPLOAD = "0123456789abcdef" * 2, "fedcba9876543210" * 2
BOOT, OLD_BOOT = bytes(range(16)), bytes(range(16, 32))
DIGEST = bytes(range(32))

GOLDEN = Record(Kind.ARRIVED, 8 << 20, 16 << 20, BOOT, 1_700_000_000_123_456_789, Flag.DIGEST, DIGEST)
GOLDEN_BYTES = bytes.fromhex(
    "50574a31"  # magic
    "0100"  # ARRIVED
    "0100"  # DIGEST
    "0000800000000000"  # start
    "0000000100000000"  # stop
    "000102030405060708090a0b0c0d0e0f"  # boot
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"  # sha256
    "15cd853dfe9c9717"  # time
    "000000000000000000000000"
    "ea8c88e5"  # checksum
)


def arrived(start: int, stop: int, *, boot: bytes = BOOT, flags: Flag = Flag.NONE) -> Record:
    digest = DIGEST if Flag.DIGEST in flags else bytes(32)
    return Record(Kind.ARRIVED, start, stop, boot, 0, flags, digest)


def flushed(stop: int, *, boot: bytes = BOOT) -> Record:
    """All records before number `stop` are on disk."""
    return Record(Kind.FLUSHED, 0, stop * RECORD_SIZE, boot, 0)


FORGOTTEN = Record(Kind.FORGOTTEN, 0, 0, BOOT, 0)
VOID = Record(Kind.VOID, 0, 0, bytes(16), 0)


def journal(*records: Record) -> bytes:
    return b"".join(encode(record, UPLOAD) for record in records)


def read(content: bytes, boot: bytes = BOOT) -> JournalState:
    state = JournalState(UPLOAD, boot)
    state.feed(content)
    return state


def spans(state: JournalState) -> list[tuple[int, int]]:
    return [(span.start, span.stop) for span in state.arrived]


def test_the_format_does_not_change() -> None:
    assert encode(GOLDEN, UPLOAD) == GOLDEN_BYTES
    assert decode(GOLDEN_BYTES, UPLOAD) == GOLDEN


def test_a_record_has_96_bytes() -> None:
    assert RECORD_SIZE == len(GOLDEN_BYTES) == 96


SIZES = st.integers(0, 2**63)
RECORDS = st.builds(
    lambda kind, bounds, *rest: Record(kind, min(bounds), max(bounds), *rest),
    st.sampled_from(Kind),
    st.tuples(SIZES, SIZES),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**64 - 1),
    st.sampled_from([Flag.NONE, Flag.DIGEST, Flag.FLUSHED, Flag.DIGEST | Flag.FLUSHED]),
    st.binary(min_size=32, max_size=32),
)


@given(RECORDS)
def test_what_was_encoded_is_decoded(record: Record) -> None:
    assert decode(encode(record, UPLOAD), UPLOAD) == record


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_anywhere_is_noticed(bit: int) -> None:
    for at in range(RECORD_SIZE):
        raw = bytearray(GOLDEN_BYTES)
        raw[at] ^= 1 << bit
        assert decode(bytes(raw), UPLOAD) is None, f"byte {at}"


@given(RECORDS, st.integers(1, RECORD_SIZE - 1), st.sampled_from([b"\x00", b"\xff"]))
def test_a_torn_record_of_full_length_is_noticed(record: Record, written: int, rest: bytes) -> None:
    """The file grew, but only its first bytes came to the disk."""
    raw = encode(record, UPLOAD)
    torn = raw[:written] + rest * (RECORD_SIZE - written)
    assert decode(torn, UPLOAD) == (record if torn == raw else None)


def test_the_record_of_another_upload_is_refused() -> None:
    assert decode(encode(GOLDEN, OTHER_UPLOAD), UPLOAD) is None


def test_zeros_are_no_record() -> None:
    assert decode(bytes(RECORD_SIZE), UPLOAD) is None


@pytest.mark.parametrize("length", [1, 4, 95], ids=str)
def test_a_torn_tail_is_not_there(length: int) -> None:
    state = read(journal(arrived(0, 10)) + journal(arrived(10, 20))[:length])
    assert (spans(state), state.offset, state.damaged) == ([(0, 10)], RECORD_SIZE, 0)


def test_a_damaged_record_says_nothing_and_the_next_one_counts() -> None:
    raw = bytearray(journal(arrived(0, 10), arrived(10, 20), arrived(20, 30)))
    raw[RECORD_SIZE + 9] ^= 1
    state = read(bytes(raw))
    assert (spans(state), state.damaged) == ([(0, 10), (20, 30)], 1)


BOOTS = [
    pytest.param([arrived(0, 9)], [(0, 9)], id="this boot's record counts"),
    pytest.param([arrived(0, 9, boot=OLD_BOOT)], [], id="an earlier boot's does not"),
    pytest.param(
        [arrived(0, 9, boot=OLD_BOOT, flags=Flag.FLUSHED)],
        [(0, 9)],
        id="unless marked as on disk",
    ),
    pytest.param(
        [arrived(0, 9, boot=OLD_BOOT), flushed(1, boot=OLD_BOOT)],
        [(0, 9)],
        id="or that boot flushed",
    ),
    pytest.param([arrived(0, 9, boot=OLD_BOOT), flushed(1)], [], id="another boot's flush proves nothing"),
    pytest.param(
        [arrived(0, 9, boot=OLD_BOOT), arrived(20, 30, boot=OLD_BOOT), flushed(1, boot=OLD_BOOT)],
        [(0, 9)],
        id="a flush covers what begins below its stop",
    ),
    pytest.param(
        [flushed(5, boot=OLD_BOOT), arrived(0, 9, boot=OLD_BOOT)],
        [],
        id="a flush covers nothing that follows it",
    ),
    pytest.param(
        [arrived(0, 9, boot=OLD_BOOT), arrived(0, 9)], [(0, 9)], id="what was lost may be sent again"
    ),
    pytest.param([arrived(0, 9), VOID, arrived(9, 12)], [(0, 12)], id="void says nothing"),
]


@pytest.mark.parametrize(("records", "expected"), BOOTS)
def test_what_counts_as_arrived(records: list[Record], expected: list[tuple[int, int]]) -> None:
    assert spans(read(journal(*records))) == expected


FORGETTING = [
    pytest.param([arrived(0, 9), FORGOTTEN], [], id="what was not flushed is void"),
    pytest.param([arrived(0, 9), flushed(1), FORGOTTEN], [(0, 9)], id="what was flushed stays"),
    pytest.param([arrived(0, 9), FORGOTTEN, flushed(2)], [], id="a later flush does not bring it back"),
    pytest.param([arrived(0, 9), FORGOTTEN, arrived(20, 30)], [(20, 30)], id="what comes later counts"),
    pytest.param(
        [arrived(0, 9, flags=Flag.FLUSHED), FORGOTTEN], [(0, 9)], id="what is marked as on disk stays"
    ),
    pytest.param(
        [arrived(0, 9, boot=OLD_BOOT), FORGOTTEN, flushed(1, boot=OLD_BOOT)],
        [],
        id="an earlier boot's is void too",
    ),
    pytest.param(
        [arrived(0, 9), flushed(1), arrived(5, 30), FORGOTTEN], [(0, 9)], id="only the flushed part stays"
    ),
]


@pytest.mark.parametrize(("records", "expected"), FORGETTING)
def test_a_failed_flush_voids(records: list[Record], expected: list[tuple[int, int]]) -> None:
    assert spans(read(journal(*records))) == expected


def test_forgotten_flushes_are_counted() -> None:
    assert read(journal(FORGOTTEN, arrived(0, 9), FORGOTTEN)).forgotten == 2


def test_a_digest_is_known_while_its_bytes_are() -> None:
    with_digest = arrived(0, 9, flags=Flag.DIGEST)
    assert read(journal(with_digest)).digests == {ByteRange(0, 9): DIGEST}
    assert read(journal(arrived(0, 9))).digests == {}
    assert read(journal(with_digest, FORGOTTEN)).digests == {}
    assert read(journal(with_digest), OLD_BOOT).digests == {}


@pytest.mark.parametrize(
    ("records", "unflushed", "lost"),
    [
        pytest.param([arrived(0, 9)], 9, 0, id="arrived"),
        pytest.param([arrived(0, 9), flushed(1)], 0, 0, id="flushed"),
        pytest.param([arrived(0, 9), arrived(20, 25), flushed(1)], 5, 0, id="flushed in part"),
        pytest.param([arrived(0, 9, flags=Flag.FLUSHED)], 0, 0, id="flushed at once"),
        pytest.param([arrived(0, 9, boot=OLD_BOOT)], 0, 1, id="lost"),
        pytest.param([arrived(0, 9, boot=OLD_BOOT), flushed(1, boot=OLD_BOOT)], 0, 0, id="saved"),
        pytest.param([arrived(0, 9), FORGOTTEN], 0, 0, id="forgotten"),
    ],
)
def test_what_a_power_cut_could_take(records: list[Record], unflushed: int, lost: int) -> None:
    state = read(journal(*records))
    assert (state.unflushed, state.lost) == (unflushed, lost)


SMALL = st.builds(
    lambda kind, bounds, boot, *rest: Record(kind, min(bounds), max(bounds), boot, 0, *rest),
    st.sampled_from(Kind),
    st.tuples(st.integers(0, 500), st.integers(0, 500)),
    st.sampled_from([BOOT, OLD_BOOT]),
    st.sampled_from([Flag.NONE, Flag.DIGEST, Flag.FLUSHED]),
    st.binary(min_size=32, max_size=32),
)


def conclusions(state: JournalState) -> tuple[object, ...]:
    return (
        state.offset,
        state.arrived,
        state.digests,
        state.forgotten,
        state.damaged,
        state.lost,
        state.unflushed,
    )


@given(st.lists(SMALL, max_size=12), st.lists(st.integers(0, 12 * RECORD_SIZE), max_size=6), st.data())
def test_reading_in_pieces_is_reading_at_once(
    records: list[Record], cuts: list[int], data: st.DataObject
) -> None:
    content = bytearray(journal(*records))
    if content and data.draw(st.booleans(), label="damaged"):
        content[data.draw(st.integers(0, len(content) - 1), label="at")] ^= 1
    piecewise = JournalState(UPLOAD, BOOT)
    for length in [*sorted(cuts), len(content)]:
        piecewise.feed(bytes(content[piecewise.offset : length]))
    assert conclusions(piecewise) == conclusions(read(bytes(content)))


def trusted(records: list[Record]) -> set[int]:
    """The rules again, as a sentence each over single bytes: slow, and with nothing incremental."""
    found: set[int] = set()
    for at, record in enumerate(records):
        later = list(enumerate(records))[at + 1 :]
        voided = next((place for place, each in later if each.kind is Kind.FORGOTTEN), len(records))
        is_saved = Flag.FLUSHED in record.flags or any(
            place < voided
            and each.kind is Kind.FLUSHED
            and each.boot_id == record.boot_id
            and at * RECORD_SIZE < each.stop
            for place, each in later
        )
        is_young = record.boot_id == BOOT and voided == len(records)
        if record.kind is Kind.ARRIVED and (is_saved or is_young):
            found.update(range(record.start, record.stop))
    return found


@settings(max_examples=200)
@given(st.lists(SMALL, max_size=10))
def test_arrived_is_what_the_rules_say(records: list[Record]) -> None:
    state = read(journal(*records))
    assert {offset for span in state.arrived for offset in range(span.start, span.stop)} == trusted(records)
    assert all(state.arrived.covers(span) for span in state.digests)


def test_an_empty_journal_says_nothing() -> None:
    assert read(b"").arrived == RangeSet()
