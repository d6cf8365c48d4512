"""`ls`, `rm` and `status`: what is there, page by page; removing it; what is unfinished."""

import json
import os
import pty
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import pytest

from client_demo.api import upload
from tests.client_demo.conftest import Client, ended, random_file
from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.client_demo.server_process import ServerProcess
from tests.waiting import wait_until

MIB = 1 << 20


@pytest.fixture
def files(server: ServerProcess, client: Client, request: pytest.FixtureRequest) -> list[str]:
    """Three files whose names hold a word of their own, newest first."""
    word = request.node.name.replace("[", "-").rstrip("]")
    names = [f"{word}-{number}.bin" for number in range(3)]
    for number, name in enumerate(names):
        random_file(client.folder / name, number)
        anyio.run(partial(upload, client.folder / name, server=server.url))
    return names[::-1]


def test_ls_is_tab_separated_for_pipes(server: ServerProcess, client: Client, files: list[str]) -> None:
    listed = client.run("ls", files[0].removesuffix("-2.bin"), "--server", server.url)

    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [(size, name) for _, size, _, name in rows] == list(zip("210", files, strict=True))


def test_ls_pages(server: ServerProcess, client: Client, files: list[str]) -> None:
    search = ("ls", files[0].removesuffix("-2.bin"), "--server", server.url, "--json")

    first = client.run(*search, "--limit", "2")
    second = client.run(*search, "--cursor", first.stderr.split()[-1])
    everything = client.run(*search, "--all")

    both = [json.loads(line)["filename"] for line in (first.stdout + second.stdout).splitlines()]
    assert both == files
    assert second.stderr == ""
    assert everything.stdout == first.stdout + second.stdout


def on_a_terminal(client: Client, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Run the command on a terminal of its own; its exit code and all that was shown."""
    outer, inner = pty.openpty()
    try:
        os.write(outer, typed.encode())
        process = subprocess.Popen(
            [sys.executable, "-m", "client_demo", *arguments],
            cwd=client.folder,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=os.environ | {"NO_PROXY": "*", "TERM": "xterm", "COLUMNS": "200"},
        )
        os.close(inner)
        shown = bytearray()
        try:
            while data := os.read(outer, 4096):
                shown += data
        except OSError:
            # How Linux says that nobody has the other side open any more.
            pass
        return process.wait(60), shown.decode()
    finally:
        os.close(outer)


def test_ls_is_a_table_on_a_terminal(server: ServerProcess, client: Client, files: list[str]) -> None:
    code, shown = on_a_terminal(client, "ls", files[0], "--server", server.url)

    assert code == 0
    assert "Created" in shown
    assert "2 B" in shown


@pytest.mark.parametrize(
    ("typed", "flags", "code"),
    [
        pytest.param("y\n", (), 0, id="yes"),
        pytest.param("n\n", (), 1, id="no"),
        pytest.param("", ("--yes",), 0, id="not-asked"),
    ],
)
def test_rm_asks_on_a_terminal(
    server: ServerProcess, client: Client, files: list[str], typed: str, flags: tuple[str, ...], code: int
) -> None:
    address = client.run("ls", files[0], "--server", server.url).stdout.split("\t")[0]

    ended_with, _ = on_a_terminal(client, "rm", address, "--server", server.url, *flags, typed=typed)

    assert ended_with == code
    assert server.get(f"/files/{address}").status_code == (404 if code == 0 else 200)


def test_rm_takes_addresses_and_goes_on_after_one_that_fails(
    server: ServerProcess, client: Client, files: list[str]
) -> None:
    listed = client.run("ls", files[0].removesuffix("-2.bin"), "--server", server.url, "--json")
    one, two, three = (json.loads(line) for line in listed.stdout.splitlines())
    targets = (one["url"], "0" * 32, f"{server.url}/files/{two['id']}", three["id"])

    removed = client.run("rm", *targets, "--server", server.url)

    assert removed.returncode == 1
    assert removed.stdout.split() == [one["id"], two["id"], three["id"]]
    assert "404" in removed.stderr
    assert client.run("ls", files[0], "--server", server.url).stdout == ""


def test_status_shows_what_is_unfinished(
    server: ServerProcess, proxy: FlakyProxy, client: Client, tmp_path: Path
) -> None:
    source = random_file(tmp_path / "source.bin", 9 * MIB)
    address = client.run("put", source, "--server", server.url).stdout.strip()
    proxy.hold_after(6 * MIB, Direction.DOWN)
    target = address.replace(server.url, proxy.url)
    get = client.start("get", target, "--parallel", "1")
    wait_until((client.folder / "source.bin.part.json").exists)
    get.terminate()
    assert ended(get).returncode == 143
    source.touch()
    proxy.hold_after(3 * MIB, Direction.UP)
    put = client.start("put", source, "--server", proxy.url, "--chunk-size", "1MiB", "--parallel", "1")
    wait_until(lambda: any(server.uploaded_chunks(upload) for upload in server.open_uploads()))
    put.kill()
    ended(put)

    shown = client.run("status", "--server", server.url, "--json")
    plain = client.run("status", "--server", server.url)

    download, upload = (json.loads(line) for line in shown.stdout.splitlines())
    assert (download["kind"], download["path"], download["size"]) == ("download", "source.bin", 9 * MIB)
    assert (upload["kind"], upload["filename"], upload["size"]) == ("upload", "source.bin", 9 * MIB)
    assert 0 < upload["uploaded_bytes"] < 9 * MIB
    assert [line.split("\t")[0] for line in plain.stdout.splitlines()] == ["download", "upload"]
