"""The tree digest is what `docs/api.md` says it is, and known only if every chunk's digest was verified."""

import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.chunks import chunk_count, span_of_chunk
from storage.model import ByteRange
from storage.tree_digest import tree_digest, verified_tree_digest

VECTORS = [
    pytest.param(
        b"", 8 << 20, "dd372c902adbbecbeb83edab7ac9e116dbf35208cec9d3ab79b8abab2d43a2af", id="empty"
    ),
    pytest.param(
        b"abc", 8 << 20, "5e54d0c26ed98775c28d116e69777b50e58e6eb2d6e76066c85a1ff9f2cd0a30", id="one chunk"
    ),
    pytest.param(
        b"a" * 65536 + b"b",
        65536,
        "e60276d03a42a90a380b8273f8e77f33b44296602ae22a5973b9f006ead8f4f0",
        id="two chunks",
    ),
]


def _digests(data: bytes, chunk_size: int) -> dict[ByteRange, bytes]:
    spans = [
        span_of_chunk(chunk, len(data), chunk_size) for chunk in range(chunk_count(len(data), chunk_size))
    ]
    return {span: hashlib.sha256(data[span.start : span.stop]).digest() for span in spans}


@pytest.mark.parametrize(("data", "chunk_size", "expected"), VECTORS)
def test_vectors(data: bytes, chunk_size: int, expected: str) -> None:
    verified = _digests(data, chunk_size)
    assert tree_digest(len(data), chunk_size, verified.values()).hex() == expected
    assert verified_tree_digest(len(data), chunk_size, verified) == bytes.fromhex(expected)


@given(data=st.binary(max_size=64), chunk_size=st.integers(1, 70))
def test_the_rule(data: bytes, chunk_size: int) -> None:
    said = b"partway-tree-1\n" + len(data).to_bytes(8, "big") + chunk_size.to_bytes(8, "big")
    for start in range(0, len(data), chunk_size):
        said += hashlib.sha256(data[start : start + chunk_size]).digest()
    assert (
        verified_tree_digest(len(data), chunk_size, _digests(data, chunk_size))
        == hashlib.sha256(said).digest()
    )


def test_size_and_chunk_size_are_part_of_it() -> None:
    chunk = hashlib.sha256(b"x").digest()
    assert len({tree_digest(*sizes, [chunk]) for sizes in ((1, 1), (1, 2), (2, 2), (2, 1))}) == 4


A, B = hashlib.sha256(b"a" * 10).digest(), hashlib.sha256(b"b" * 5).digest()


@pytest.mark.parametrize(
    "verified",
    [
        pytest.param({}, id="none"),
        pytest.param({ByteRange(0, 10): A}, id="the last is missing"),
        pytest.param({ByteRange(10, 15): B}, id="the first is missing"),
        pytest.param({ByteRange(0, 15): A}, id="one range over both"),
        pytest.param({ByteRange(0, 10): A, ByteRange(10, 14): B}, id="one byte short"),
        pytest.param({ByteRange(0, 5): A, ByteRange(5, 10): A, ByteRange(10, 15): B}, id="a chunk in two"),
    ],
)
def test_it_is_not_known_without_the_digest_of_every_chunk(verified: Mapping[ByteRange, bytes]) -> None:
    assert verified_tree_digest(15, 10, verified) is None


def test_ranges_that_are_no_chunks_do_not_matter() -> None:
    chunks = {ByteRange(0, 10): A, ByteRange(10, 15): B}
    assert verified_tree_digest(15, 10, chunks | {ByteRange(3, 12): B}) == tree_digest(15, 10, [A, B])
