"""What `put` remembers between runs: the open upload of a file, its chunk size, and when not to use it."""

import json
import signal
from functools import partial
from pathlib import Path

import anyio
import pytest

from client_demo.api import upload
from tests.client_demo.conftest import Client, ended, random_file, sha256
from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.client_demo.server_process import ServerProcess
from tests.waiting import wait_until

MIB = 1 << 20
SMALL = ("--chunk-size", "256KiB", "--parallel", "2")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return random_file(tmp_path / "source.bin", 4 * MIB)


@pytest.fixture
def begun(server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path) -> str:
    """The id of an upload that was stopped with some of its chunks there."""
    proxy.hold_after(2 * MIB, Direction.UP)
    put = client.start("put", source, "--server", proxy.url, *SMALL)
    wait_until(lambda: bool(server.open_uploads()))
    [upload] = server.open_uploads()
    wait_until(lambda: len(server.uploaded_chunks(upload)) >= 3)
    put.send_signal(signal.SIGINT)
    assert ended(put).returncode == 130
    proxy.drop_connections()
    proxy.release()
    proxy.requests.clear()
    return upload


def records(client: Client) -> list[Path]:
    return list((client.state_home / "partway" / "uploads").iterdir())


def test_another_chunk_size_goes_on_with_the_open_upload_and_says_so(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, begun: str
) -> None:
    stored = server.uploaded_chunks(begun)

    put = client.run("put", source, "--server", proxy.url, "--chunk-size", "1MiB")

    assert put.returncode == 0, put.stderr
    assert "Going on with the open upload, " in put.stderr
    assert "256 KiB" in put.stderr
    assert begun in put.stdout
    assert not stored.intersection(proxy.sent_chunks())
    assert records(client) == []


def test_restart_throws_the_open_upload_away(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, begun: str
) -> None:
    put = client.run("put", source, "--server", proxy.url, *SMALL, "--restart")

    assert put.returncode == 0, put.stderr
    assert begun not in put.stdout
    assert f"DELETE /uploads/{begun}" in proxy.requests
    assert server.open_uploads() == []


@pytest.mark.parametrize("loss", ["removed", "broken", "of-a-gone-upload"])
def test_a_lost_record_costs_nothing_but_itself(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, begun: str, loss: str
) -> None:
    [record] = records(client)
    match loss:
        case "removed":
            record.unlink()
        case "broken":
            record.write_text("{")
        case _:
            record.write_text(json.dumps(json.loads(record.read_text()) | {"upload_id": "0" * 32}))

    put = client.run("put", source, "--server", proxy.url, *SMALL)

    assert put.returncode == 0, put.stderr
    # The fingerprint leads back to it.
    assert begun in put.stdout


def test_verify_does_not_go_on_with_an_upload_that_cannot_be_verified(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, begun: str
) -> None:
    put = client.run("put", source, "--server", proxy.url, *SMALL, "--verify", "--json")

    assert put.returncode == 0, put.stderr
    assert "starting another" in put.stderr
    file = json.loads(put.stdout)["file"]
    assert file["id"] != begun
    assert file["sha256"] == sha256(source)
    assert server.open_uploads() == []


def test_get_verify_needs_a_digest(server: ServerProcess, client: Client, source: Path) -> None:
    without = anyio.run(partial(upload, source, server=server.url)).url
    named = anyio.run(partial(upload, source, server=server.url, verify=True)).url

    refused = client.run("get", without, "--verify")
    got = client.run("get", named, "--verify")

    assert refused.returncode == 1
    assert "names no sha-256" in refused.stderr
    assert got.returncode == 0, got.stderr
    assert [path.name for path in client.folder.iterdir()] == ["source.bin"]
