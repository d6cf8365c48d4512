"""`partway-client get`: the file comes whole or not at all, and goes on from what arrived before."""

import json
import signal
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest

from client_demo.api import upload
from tests.client_demo.conftest import Client, ended, random_file, sha256
from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.client_demo.server_process import ServerProcess
from tests.waiting import wait_until

MIB = 1 << 20
SIZE = 12 * MIB + 11
QUICK = ("--retry-delay", "0.02")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return random_file(tmp_path / "source.bin", SIZE)


@pytest.fixture
def file_id(server: ServerProcess, source: Path) -> str:
    """A file on the server."""
    return anyio.run(partial(upload, source, server=server.url)).id


def received_bytes(part: Path) -> int:
    """How much of a download its journal says is there."""
    try:
        journal = json.loads(part.with_name(part.name + ".json").read_text())
    except FileNotFoundError:
        return 0
    return sum(end - start for start, end in journal["received"])


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", ["{id}", "{server}/files/{id}", "{server}/files/{id}/content"])
def test_a_file_is_named_by_its_id_or_its_address(
    server: ServerProcess, client: Client, source: Path, file_id: str, form: str
) -> None:
    got = client.run("get", form.format(id=file_id, server=server.url), "--server", server.url)

    assert (got.returncode, got.stdout, got.stderr) == (0, "source.bin\n", "")
    assert sha256(client.folder / "source.bin") == sha256(source)
    assert left_over(client.folder) == ["source.bin"]


@pytest.mark.parametrize("folder_or_file", ["", "kept.bin"], ids=["folder", "file"])
def test_output_may_be_a_folder_or_a_file(
    server: ServerProcess, client: Client, source: Path, file_id: str, tmp_path: Path, folder_or_file: str
) -> None:
    target = tmp_path / "kept" / folder_or_file
    (tmp_path / "kept").mkdir()

    got = client.run("get", file_id, "--server", server.url, "-o", target)

    expected = tmp_path / "kept" / (folder_or_file or "source.bin")
    assert (got.returncode, got.stdout) == (0, f"{expected}\n")
    assert sha256(expected) == sha256(source)


@pytest.mark.parametrize(
    ("stop", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 143, id="terminated"),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, id="killed"),
    ],
)
def test_a_stopped_get_goes_on_from_what_arrived(
    proxy: FlakyProxy, client: Client, source: Path, file_id: str, stop: signal.Signals, code: int
) -> None:
    part = client.folder / "source.bin.part"
    proxy.hold_after(9 * MIB, Direction.DOWN)
    first = client.start("get", file_id, "--server", proxy.url, "--parallel", "2")
    wait_until(lambda: received_bytes(part) >= 4 * MIB)

    first.send_signal(stop)
    stopped = ended(first)
    proxy.drop_connections()
    proxy.release()
    arrived = received_bytes(part)
    before = proxy.passed[Direction.DOWN]
    second = client.run("get", file_id, "--server", proxy.url)

    assert stopped.returncode == code
    assert not (client.folder / "source.bin.part.json.new").exists()
    assert second.returncode == 0, second.stderr
    assert arrived >= 4 * MIB
    assert proxy.passed[Direction.DOWN] - before < SIZE - arrived + 20_000
    assert sha256(client.folder / "source.bin") == sha256(source)
    assert left_over(client.folder) == ["source.bin"]


def test_a_get_outlives_a_killed_server(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, file_id: str
) -> None:
    part = client.folder / "source.bin.part"
    proxy.hold_after(9 * MIB, Direction.DOWN)
    get = client.start("get", file_id, "--server", proxy.url, *QUICK)
    wait_until(lambda: received_bytes(part) >= 4 * MIB)

    server.kill()
    server.start()
    proxy.release()
    finished = ended(get)

    assert finished.returncode == 0, finished.stderr
    assert sha256(client.folder / "source.bin") == sha256(source)


@pytest.mark.parametrize("direction", Direction, ids=lambda direction: direction.name.lower())
def test_a_get_outlives_cut_connections(
    proxy: FlakyProxy, client: Client, source: Path, file_id: str, direction: Direction
) -> None:
    most = 2_000_000 if direction is Direction.DOWN else 100
    times = 12 if direction is Direction.DOWN else 4
    proxy.cut(times, least=1, most=most, seed=1, direction=direction)

    got = client.run("get", file_id, "--server", proxy.url, *QUICK)

    assert got.returncode == 0, got.stderr
    assert proxy.cuts > 0
    assert sha256(client.folder / "source.bin") == sha256(source)


def test_an_existing_file_is_kept(server: ServerProcess, client: Client, file_id: str) -> None:
    (client.folder / "source.bin").write_text("mine")

    got = client.run("get", file_id, "--server", server.url)

    assert got.returncode == 1
    assert "source.bin exists already" in got.stderr
    assert (client.folder / "source.bin").read_text() == "mine"


def test_force_replaces_an_existing_file(
    server: ServerProcess, client: Client, source: Path, file_id: str
) -> None:
    (client.folder / "source.bin").write_text("mine")

    got = client.run("get", file_id, "--server", server.url, "--force")

    assert got.returncode == 0, got.stderr
    assert sha256(client.folder / "source.bin") == sha256(source)


def test_a_whole_part_only_gets_its_name(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, file_id: str
) -> None:
    """The process died after the last byte: nothing is fetched again."""
    url = f"{proxy.url}/files/{file_id}/content"
    etag = httpx.head(url, trust_env=False).headers["ETag"]
    (client.folder / "source.bin.part").write_bytes(source.read_bytes())
    origin = {"url": url, "etag": etag, "size": SIZE, "sha256": None}
    journal = {"origin": origin, "received": [[0, SIZE]]}
    (client.folder / "source.bin.part.json").write_text(json.dumps(journal))
    before = proxy.passed[Direction.DOWN]

    got = client.run("get", file_id, "--server", proxy.url)

    assert got.returncode == 0, got.stderr
    assert proxy.passed[Direction.DOWN] - before < 10_000
    assert sha256(client.folder / "source.bin") == sha256(source)


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param({"etag": '"another"', "size": SIZE}, id="another-etag"),
        pytest.param({"etag": None, "size": SIZE}, id="no-etag"),
        pytest.param({"etag": '"x"', "size": SIZE, "url": "http://127.0.0.1/other"}, id="another-url"),
        pytest.param("{", id="broken"),
    ],
)
def test_a_part_of_something_else_is_not_gone_on_with(
    server: ServerProcess,
    client: Client,
    source: Path,
    file_id: str,
    origin: dict[str, str | int | None] | str,
) -> None:
    url = f"{server.url}/files/{file_id}/content"
    (client.folder / "source.bin.part").write_bytes(bytes(SIZE))
    journal = {"received": [[0, 3 * MIB], [9 * MIB, 10 * MIB]]}
    if isinstance(origin, str):
        stored = origin
    else:
        stored = json.dumps(journal | {"origin": {"url": url, "sha256": None} | origin})
    (client.folder / "source.bin.part.json").write_text(stored)

    got = client.run("get", file_id, "--server", server.url)

    assert got.returncode == 0, got.stderr
    assert sha256(client.folder / "source.bin") == sha256(source)


def test_a_part_file_of_another_program_is_left_alone(
    server: ServerProcess, client: Client, file_id: str
) -> None:
    part = client.folder / "source.bin.part"
    part.write_text("a browser's")

    got = client.run("get", file_id, "--server", server.url)

    assert got.returncode == 1
    assert "source.bin.part exists already" in got.stderr
    assert part.read_text() == "a browser's"


def test_two_gets_of_one_target_do_not_mix(
    server: ServerProcess, proxy: FlakyProxy, client: Client, source: Path, file_id: str
) -> None:
    part = client.folder / "source.bin.part"
    proxy.hold_after(3 * MIB, Direction.DOWN)
    first = client.start("get", file_id, "--server", proxy.url)
    wait_until(lambda: part.exists() and part.stat().st_size == SIZE)

    second = client.run("get", file_id, "--server", server.url)
    proxy.release()

    assert second.returncode == 1
    assert "another download" in second.stderr
    assert ended(first).returncode == 0
    assert sha256(client.folder / "source.bin") == sha256(source)
