"""A stored file that loses bytes while it is sent: the connection is cut, and nothing is invented."""

import os
from pathlib import Path

import pytest

from tests.native_api import KIB, MIB, Json, NativeApi, assert_problem, pattern
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer

DATA = pattern(48 * MIB)
"""Far more than socket buffers on both ends hold, so that the sender is still at it when the file shrinks."""

BLOCK = 4 * KIB


@pytest.fixture
def file(api: NativeApi) -> Json:
    """A file of `DATA`."""
    return api.publish(DATA, chunk_size=16 * MIB)


def _stored(server: RunningServer, file: Json) -> Path:
    (found,) = (server.data_dir / "files").rglob(file["id"])
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(None, id="whole"),
        pytest.param(f"bytes=5-{len(DATA) - 1}", id="a range"),
        pytest.param(f"bytes=0-9,20-{len(DATA) - 1}", id="two ranges"),
    ],
)
@pytest.mark.parametrize("left", [0, 1000], ids=["all lost", "some lost"])
def test_the_connection_is_cut(
    api: NativeApi, server: RunningServer, file: Json, wanted: str | None, left: int
) -> None:
    fields = {} if wanted is None else {"Range": wanted}
    with RawConnection(server.port, receive_buffer=64 * KIB) as reader:
        reader.send(head("GET", f"/files/{file['id']}/content", fields))
        status, headers = reader.response_head()
        assert status in {200, 206}
        received = reader.read(64 * KIB)
        os.truncate(_stored(server, file), left)
        received += _rest(reader)
    assert len(received) < int(headers["content-length"])
    if wanted is None:
        assert received[:left] == DATA[:left]
        _assert_true_or_blank(received)
    assert api.http.get("/healthz").status_code == 200


def _assert_true_or_blank(received: bytes) -> None:
    """Every byte is the file's; only what was on its way in shared pages may have been blanked by the kernel.

    That is how `sendfile` works: truncation blanks the end of the last page, also for the socket that has it.
    """
    for start in range(0, len(received), BLOCK):
        block, true = received[start : start + BLOCK], DATA[start : start + BLOCK]
        if not true.startswith(block):
            assert all(byte in {0, right} for byte, right in zip(block, true, strict=False))


def _rest(reader: RawConnection) -> bytes:
    """What else comes until the connection ends, in order or not."""
    parts = []
    try:
        while part := reader.read(64 * KIB):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("size", [0, 1000, len(DATA) + 1])
def test_a_file_of_another_size_than_published_is_a_failure_before_any_byte(
    api: NativeApi, server: RunningServer, file: Json, size: int
) -> None:
    os.truncate(_stored(server, file), size)
    response = api.content(file)
    assert_problem(response, 500, "storage-failure")
    assert str(server.data_dir) not in response.text


def test_a_file_whose_bytes_are_gone_is_a_failure(api: NativeApi, server: RunningServer, file: Json) -> None:
    _stored(server, file).unlink()
    assert_problem(api.content(file), 500, "storage-failure")
    assert api.http.delete(f"/files/{file['id']}").status_code == 204
