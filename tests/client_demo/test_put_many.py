"""`partway-client put` of many things: files, folders, standard input; and what it says for scripts."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.client_demo.conftest import Client, ended, random_file
from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.client_demo.scripted_server import Reply, ScriptedServer
from tests.client_demo.server_process import ServerProcess
from tests.waiting import wait_until

MIB = 1 << 20


def said(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def content(server: ServerProcess, url: str) -> bytes:
    return server.get("/files/" + url.strip().partition("/files/")[2]).raise_for_status().content


def file_ids(server: ServerProcess) -> set[str]:
    return {file["id"] for file in server.get("/files?limit=1000").json()["items"]}


def test_a_folder_goes_up_with_its_paths(server: ServerProcess, client: Client) -> None:
    folder = client.folder / "album"
    (folder / "2026" / "may").mkdir(parents=True)
    (folder / "cover.txt").write_text("cover")
    (folder / "2026" / "may" / "a\\b.txt").write_text("day")
    (folder / "loop").symlink_to(folder)

    put = client.run("put", "album", "--server", server.url, "--json")

    assert (put.returncode, put.stderr) == (0, "")
    files = [line["file"] for line in said(put.stdout)]
    assert [(file["filename"], file["metadata"]) for file in files if isinstance(file, dict)] == [
        ("cover.txt", {"path": "album/cover.txt"}),
        ("a_b.txt", {"path": "album/2026/may/a\\b.txt"}),
    ]


@pytest.mark.parametrize("way_to_end", ["interrupted", "a file failed"])
def test_a_run_that_did_not_end_well_sends_nothing_twice_when_run_again(
    server: ServerProcess, proxy: FlakyProxy, client: Client, way_to_end: str
) -> None:
    folder = client.folder / "album"
    folder.mkdir()
    (folder / "a\\b.txt").write_text("sent")
    large = random_file(folder / "large.bin", 4 * MIB)
    arguments = ("put", "album", "absent") if way_to_end == "a file failed" else ("put", "album")
    flags = ("--chunk-size", "64KiB", "--server", proxy.url)
    before = file_ids(server)
    if way_to_end == "interrupted":
        proxy.hold_after(MIB, Direction.UP)
    first = client.start(*arguments, *flags)
    if way_to_end == "interrupted":
        wait_until(lambda: proxy.passed[Direction.UP] >= MIB)
        first.send_signal(signal.SIGINT)
        proxy.release()
    assert ended(first).returncode == (130 if way_to_end == "interrupted" else 1)
    (client.folder / "absent").write_text("found")
    sent_before = len(proxy.sent_chunks())

    again = client.run(*arguments, *flags)

    assert again.returncode == 0, again.stderr
    assert [content(server, url) for url in again.stdout.splitlines()][:2] == [b"sent", large.read_bytes()]
    assert len(file_ids(server) - before) == len(arguments)
    assert len(proxy.sent_chunks()) - sent_before < 64
    assert list((client.state_home / "partway" / "uploads").iterdir()) == []


def test_a_finished_command_run_again_sends_again(server: ServerProcess, client: Client) -> None:
    (client.folder / "one").write_text("1")
    urls = [client.run("put", "one", "--server", server.url).stdout for _ in range(2)]
    assert urls[0] != urls[1]


def test_one_that_fails_does_not_keep_the_others(server: ServerProcess, client: Client) -> None:
    (client.folder / "one").write_text("1")
    (client.folder / "two").write_text("2")
    os.mkfifo(client.folder / "fifo")

    put = client.run("put", "one", "absent", "fifo", "two", "--server", server.url)

    assert put.returncode == 1
    assert [content(server, url) for url in put.stdout.splitlines()] == [b"1", b"2"]
    assert "Cannot read absent" in put.stderr
    assert "Cannot read fifo" in put.stderr
    assert put.stderr.endswith("2 of 4 failed.\n")


def test_json_tells_each_result_and_each_error(server: ServerProcess, client: Client) -> None:
    (client.folder / "one").write_text("1")

    put = client.run("put", "one", "absent", "--server", server.url, "--json")

    done, failed = said(put.stdout)
    assert put.returncode == 1
    assert (done["ok"], done["source"]) == (True, "one")
    assert (failed["ok"], failed["source"]) == (False, "absent")
    assert isinstance(failed["error"], dict)
    assert failed["error"]["code"] == "source-unreadable"


def spooled(client: Client) -> list[Path]:
    return list((client.state_home / "partway" / "spool").iterdir())


@pytest.mark.parametrize("text", ["", "from a pipe"], ids=["empty", "some"])
def test_standard_input_is_a_file(server: ServerProcess, client: Client, text: str) -> None:
    put = client.run("put", "-", "--name", "note.txt", "--server", server.url, standard_input=text)

    assert put.returncode == 0, put.stderr
    assert put.stdout.endswith("/note.txt\n")
    assert content(server, put.stdout) == text.encode()
    assert spooled(client) == []


def test_standard_input_that_fails_leaves_nothing(
    server: ServerProcess, proxy: FlakyProxy, client: Client
) -> None:
    proxy.hold_after(MIB, Direction.UP)
    put = client.start("put", "-", "--chunk-size", "64KiB", "--server", proxy.url, standard_input="")
    assert put.stdin is not None
    put.stdin.write("x" * 2 * MIB)
    put.stdin.close()
    put.stdin = None
    wait_until(lambda: bool(server.open_uploads()))
    wait_until(lambda: proxy.passed[Direction.UP] >= MIB)

    put.send_signal(signal.SIGINT)
    proxy.release()

    assert ended(put).returncode == 130
    assert spooled(client) == []
    assert server.open_uploads() == []


def test_a_killed_spool_is_swept_by_the_next(server: ServerProcess, client: Client) -> None:
    put = client.start("put", "-", "--server", server.url, standard_input="")
    wait_until(lambda: (client.state_home / "partway" / "spool").is_dir() and bool(spooled(client)))
    [left] = spooled(client)
    mode = left.stat().st_mode & 0o777
    put.kill()
    ended(put)

    again = client.run("put", "-", "--server", server.url, standard_input="x")

    assert again.returncode == 0, again.stderr
    assert mode == 0o600
    assert spooled(client) == []


def test_two_interrupts_end_at_once(proxy: FlakyProxy, client: Client) -> None:
    """The first one asks politely; the answer to the abort of standard input's upload never comes."""
    proxy.hold_after(MIB, Direction.UP)
    put = client.start("put", "-", "--server", proxy.url, "--chunk-size", "64KiB", standard_input="")
    assert put.stdin is not None
    put.stdin.write("x" * 2 * MIB)
    put.stdin.close()
    put.stdin = None
    wait_until(lambda: proxy.passed[Direction.UP] >= MIB)

    put.send_signal(signal.SIGINT)
    wait_until(lambda: _has_default_interrupt(put.pid))
    put.send_signal(signal.SIGINT)

    assert ended(put).returncode == -signal.SIGINT


def _has_default_interrupt(pid: int) -> bool:
    caught = next(
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt")
    )
    return not int(caught.split()[1], 16) & (1 << (signal.SIGINT - 1))


def test_several_gets_go_on_after_one_that_fails(server: ServerProcess, client: Client) -> None:
    random_file(client.folder / "here.bin", 5)
    address = client.run("put", "here.bin", "--server", server.url).stdout.strip()
    (client.folder / "into").mkdir()

    with ScriptedServer(lambda request: Reply(404)) as empty:
        got = client.run("get", f"{empty.url}/x", address, "-o", "into", "--json")

    failed, done = said(got.stdout)
    assert got.returncode == 1
    assert failed["ok"] is False
    assert done == {"ok": True, "source": address, "path": "into/here.bin"}
    assert (client.folder / "into" / "here.bin").read_bytes() == (client.folder / "here.bin").read_bytes()
