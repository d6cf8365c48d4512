"""`partway-client put`: what arrives is what was sent, and no interruption makes it start from nothing."""

import os
import signal
from pathlib import Path

import pytest

from tests.client_demo.conftest import Client, ended, random_file, sha256
from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.client_demo.server_process import ServerProcess
from tests.waiting import wait_until

MIB = 1 << 20
QUICK = ("--retry-delay", "0.02")


def published_bytes(server: ServerProcess, url: str) -> bytes:
    path = "/files/" + url.strip().partition("/files/")[2]
    return server.get(path).raise_for_status().content


@pytest.mark.parametrize(
    ("size", "options"),
    [
        pytest.param(0, (), id="empty"),
        pytest.param(1, (), id="one-byte"),
        pytest.param(4 * MIB, ("--chunk-size", "1MiB"), id="whole-chunks"),
        pytest.param(4 * MIB + 1, ("--chunk-size", "1MiB"), id="one-byte-over"),
        pytest.param(9 * MIB, (), id="chunk-size-of-the-server"),
        pytest.param(3 * MIB, ("--chunk-size", "65536", "--parallel", "1"), id="one-at-a-time"),
    ],
)
def test_what_was_put_is_what_get_gives(
    server: ServerProcess, client: Client, tmp_path: Path, size: int, options: tuple[str, ...]
) -> None:
    source = random_file(tmp_path / "source file.bin", size)

    put = client.run("put", source, "--server", server.url, *options)
    assert (put.returncode, put.stderr) == (0, "")
    got = client.run("get", put.stdout.strip())

    assert (got.returncode, got.stderr) == (0, "")
    assert got.stdout == "source file.bin\n"
    assert sha256(client.folder / "source file.bin") == sha256(source)
    assert server.open_uploads() == []


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 143, id="terminated"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, id="killed"),
    ],
)
def test_a_stopped_put_goes_on_with_the_missing_chunks(
    server: ServerProcess, proxy: FlakyProxy, client: Client, tmp_path: Path, stop: signal.Signals, code: int
) -> None:
    source = random_file(tmp_path / "source.bin", 10 * MIB + 7)
    command = ("put", source, "--server", proxy.url, "--chunk-size", "1MiB", "--parallel", "2")
    proxy.hold_after(6 * MIB, Direction.UP)
    first = client.start(*command)
    wait_until(lambda: bool(server.open_uploads()))
    [upload] = server.open_uploads()
    wait_until(lambda: len(server.uploaded_chunks(upload)) >= 3)

    first.send_signal(stop)
    stopped = ended(first)
    proxy.drop_connections()
    proxy.release()
    stored = server.uploaded_chunks(upload)
    proxy.requests.clear()
    second = client.run(*command)

    assert stopped.returncode == code
    assert "run the same command again" in stopped.stderr or stop is signal.SIGKILL
    assert second.returncode == 0, second.stderr
    assert upload in second.stdout
    assert not stored.intersection(proxy.sent_chunks())
    assert stored.union(proxy.sent_chunks()) == set(range(11))
    assert published_bytes(server, second.stdout) == source.read_bytes()


def test_a_put_outlives_a_killed_server(
    server: ServerProcess, proxy: FlakyProxy, client: Client, tmp_path: Path
) -> None:
    source = random_file(tmp_path / "source.bin", 8 * MIB)
    proxy.hold_after(4 * MIB, Direction.UP)
    put = client.start("put", source, "--server", proxy.url, "--chunk-size", "512KiB", "--parallel", "3")
    wait_until(lambda: bool(server.open_uploads()))
    [upload] = server.open_uploads()
    wait_until(lambda: len(server.uploaded_chunks(upload)) >= 3)

    server.kill()
    server.start()
    stored = server.uploaded_chunks(upload)
    proxy.requests.clear()
    proxy.release()
    finished = ended(put)

    assert finished.returncode == 0, finished.stderr
    assert len(stored) >= 3
    assert published_bytes(server, finished.stdout) == source.read_bytes()


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name.lower())
def test_a_put_outlives_cut_connections(
    server: ServerProcess, proxy: FlakyProxy, client: Client, tmp_path: Path, direction: Direction
) -> None:
    source = random_file(tmp_path / "source.bin", 3 * MIB)
    # Cut inside chunks on the way up, inside the short answers on the way down.
    most = 600_000 if direction is Direction.UP else 700
    proxy.cut(12, least=1, most=most, seed=1, direction=direction)

    put = client.run("put", source, "--server", proxy.url, "--chunk-size", "64KiB", "--parallel", "3", *QUICK)

    assert put.returncode == 0, put.stderr
    assert proxy.cuts > 0
    assert published_bytes(server, put.stdout) == source.read_bytes()


@pytest.mark.parametrize("change", ["appended", "rewritten", "replaced", "truncated", "deleted"])
def test_a_file_that_changes_while_it_is_sent_stops_the_put(
    server: ServerProcess, proxy: FlakyProxy, client: Client, tmp_path: Path, change: str
) -> None:
    source = random_file(tmp_path / "source.bin", 4 * MIB)
    files_before = server.get("/files").json()["items"]
    proxy.hold_after(MIB, Direction.UP)
    put = client.start("put", source, "--server", proxy.url, "--chunk-size", "256KiB", "--parallel", "2")
    wait_until(lambda: bool(server.open_uploads()))
    wait_until(lambda: proxy.passed[Direction.UP] >= MIB)

    _change(source, change)
    proxy.release()
    finished = ended(put)

    assert finished.returncode == 1
    assert "changed while it was being sent" in finished.stderr
    assert finished.stdout == ""
    assert server.get("/files").json()["items"] == files_before
    assert server.open_uploads() == []


def _change(source: Path, change: str) -> None:
    match change:
        case "appended":
            with source.open("ab") as file:
                file.write(b"more")
        case "rewritten":
            with source.open("r+b") as file:
                file.write(b"other bytes, same size")
            os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
        case "replaced":
            random_file(source.with_name("new.bin"), source.stat().st_size, seed=2).replace(source)
        case "truncated":
            os.truncate(source, MIB)
        case _:
            source.unlink()
