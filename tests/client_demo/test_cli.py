"""`partway-client` as scripts see it: exit codes, what goes to which stream, what wrong usage says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from client_demo.cli import app
from tests.client_demo.conftest import Client
from tests.client_demo.scripted_server import Reply, Request, ScriptedServer

NO_FILE = "0" * 32
PROBLEM = b"""{"type": "urn:partway:file-not-found", "title": "File not found", "status": 404,
              "detail": "There is no \\u001b[31mfile\\u202e of this id."}"""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="no-command"),
        pytest.param(("send",), id="unknown-command"),
        pytest.param(("put",), id="put-nothing"),
        pytest.param(("put", ".", "--name", "x"), id="put-folder-under-a-name"),
        pytest.param(("put", "-", "-"), id="put-standard-input-twice"),
        pytest.param(("put", "here.bin", "--chunk-size", "big"), id="chunk-size-no-size"),
        pytest.param(("put", "here.bin", "--chunk-size", "0"), id="chunk-size-zero"),
        pytest.param(("put", "here.bin", "--chunk-size", "8M"), id="chunk-size-of-two-meanings"),
        pytest.param(("get", NO_FILE, NO_FILE, "-o", "here.bin"), id="get-two-into-one-file"),
        pytest.param(("rm", "http://127.0.0.1/other"), id="rm-no-file"),
        pytest.param(("ls", "--limit", "0"), id="ls-limit-zero"),
        pytest.param(("put", "here.bin", "--parallel", "0"), id="parallel-zero"),
        pytest.param(("put", "here.bin", "--server", "ftp://127.0.0.1"), id="server-not-http"),
        pytest.param(("put", "here.bin", "--server", "http://["), id="server-no-address"),
        pytest.param(("get", "not-an-id"), id="get-neither-id-nor-url"),
        pytest.param(("get", "file:///etc/passwd"), id="get-not-http"),
    ],
)
def test_wrong_usage_is_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "here.bin").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, arguments, prog_name="partway-client")

    assert result.exit_code == 2
    assert "Usage: partway-client" in result.output


def test_a_refusal_is_1_and_says_why_without_steering_the_terminal(client: Client) -> None:
    def refuse(request: Request) -> Reply:
        return Reply(404, PROBLEM, {"Content-Type": "application/problem+json"})

    with ScriptedServer(refuse) as server:
        result = client.run("get", NO_FILE, "--server", server.url, "-o", "target")

    assert (result.returncode, result.stdout) == (1, "")
    assert "404 File not found" in result.stderr
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
    assert list(client.folder.iterdir()) == []


@pytest.mark.parametrize("command", [("put", "here.bin"), ("get", NO_FILE)], ids=["put", "get"])
def test_no_server_is_1(client: Client, command: tuple[str, ...]) -> None:
    (client.folder / "here.bin").write_bytes(b"x")

    result = client.run(*command, "--server", "http://127.0.0.1:1", "--retries", "1", "--retry-delay", "0")

    assert (result.returncode, result.stdout) == (1, "")
    assert "No answer from the server after 2 attempts" in result.stderr


@pytest.mark.parametrize("command", ["put", "get"])
def test_an_answer_that_makes_no_sense_is_1(client: Client, command: str) -> None:
    (client.folder / "here.bin").write_bytes(b"x")
    argument = "here.bin" if command == "put" else NO_FILE

    with ScriptedServer(lambda request: Reply(200, b"<h1>Sign in to the hotel</h1>", NO_LENGTH)) as server:
        result = client.run(command, argument, "--server", server.url)

    assert (result.returncode, result.stdout) == (1, "")
    assert "makes no sense" in result.stderr


NO_LENGTH = {"Content-Length": "29", "Content-Encoding": "identity, hotel"}


def test_an_unwritable_target_is_1(client: Client, tmp_path: Path) -> None:
    with ScriptedServer(lambda request: Reply(200, b"bytes")) as server:
        result = client.run("get", NO_FILE, "--server", server.url, "-o", tmp_path / "no" / "such" / "folder")

    assert result.returncode == 1
    assert "Cannot write" in result.stderr


def test_help_is_0(client: Client) -> None:
    result = client.run("put", "--help")

    assert result.returncode == 0
    assert "PARTWAY_SERVER" in result.stdout
