"""`docs/client.md` names every command, option, default and exit code, and nothing else."""

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from client_demo import options
from client_demo.cli import app

PAGE = Path(__file__, "../../../docs/client.md").resolve().read_text(encoding="utf-8")
EVERYWHERE = "Options of every command"
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def _commands() -> dict[str, set[str]]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: {flag for parameter in command.params for flag in parameter.opts if flag.startswith("-")}
        for name, command in group.commands.items()
    }


COMMANDS = _commands()


def _rows(section: str) -> list[str]:
    return re.findall(r"^\| (`-.*?`) \|", SECTIONS[section], re.MULTILINE)


def _described(section: str) -> set[str]:
    return {flag for row in _rows(section) for flag in re.findall(r"`(-[\w-]+)`", row)}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_options_are_described(command: str) -> None:
    described = _described(command) if _rows(command) else set()

    assert COMMANDS[command] == described | _described(EVERYWHERE)


def test_no_command_is_described_that_does_not_exist() -> None:
    assert set(re.findall(r"partway-client ([a-z]+)", PAGE)) == set(COMMANDS)


def test_the_exit_codes_are_described() -> None:
    codes = re.findall(r"^\| (\d+) \|", SECTIONS["Exit codes"], re.MULTILINE)

    assert [int(code) for code in codes] == list(options.ExitCode)


@pytest.mark.parametrize(
    ("section", "option", "default"),
    [
        (EVERYWHERE, "server", f"`{options.DEFAULT_SERVER}`"),
        (EVERYWHERE, "retries", options.DEFAULT_RETRIES),
        (EVERYWHERE, "retry-delay", options.DEFAULT_RETRY_DELAY),
        ("put", "parallel", options.DEFAULT_PARALLEL),
        ("get", "parallel", options.DEFAULT_PARALLEL),
        ("ls", "limit", options.DEFAULT_LIST_LIMIT),
    ],
)
def test_defaults_are_told(section: str, option: str, default: object) -> None:
    assert f"| `--{option}` | {default} |" in SECTIONS[section]
