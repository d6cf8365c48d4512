"""The command `partway`: its flags, its faults and its exit codes, as far as no server has to run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from server.cli import app
from server.settings import SETTINGS, Setting, Settings
from storage.errors import DataDirectoryError


@dataclass(frozen=True, slots=True)
class Finding:
    text: str
    mended: bool

    def __str__(self) -> str:
        return self.text


ORPHAN, LOST = (
    Finding("uploads/1: an orphan", mended=True),
    Finding("files/2: its bytes are gone", mended=False),
)


class Maintenance(ModuleType):
    """Stands in for `server.maintenance`: remembers what it was asked, and answers what the test wants."""

    def __init__(self) -> None:
        super().__init__("server.maintenance")
        self.findings: list[Finding] = []
        self.asked: list[tuple[Settings, bool]] = []
        self.unusable: DataDirectoryError | None = None

    def prepare(self, settings: Settings) -> None:
        if self.unusable:
            raise self.unusable

    def check(self, settings: Settings, *, repair: bool) -> Iterator[Finding]:
        self.prepare(settings)
        self.asked.append((settings, repair))
        yield from self.findings


@pytest.fixture
def maintenance(monkeypatch: pytest.MonkeyPatch) -> Maintenance:
    module = Maintenance()
    monkeypatch.setitem(sys.modules, "server.maintenance", module)
    return module


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("PARTWAY_"):
            monkeypatch.delenv(name)


def test_serve_has_a_flag_for_every_setting_and_no_other() -> None:
    serve = typer.main.get_group(app).commands["serve"]
    flags = [flag for parameter in serve.params for flag in (*parameter.opts, *parameter.secondary_opts)]
    expected = [flag for s in SETTINGS for flag in ((s.flag, s.off_flag) if s.is_switch else (s.flag,))]
    assert flags == [*expected, "--config"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_the_help_tells_meaning_variable_and_default(setting: Setting) -> None:
    shown = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "400"}).output
    for text in (setting.flag, setting.meaning, setting.variable, setting.default):
        assert text in shown


@pytest.mark.parametrize("command", ["serve", "check"])
def test_all_faults_are_told_one_a_line_with_exit_code_2(command: str, tmp_path: Path) -> None:
    config = tmp_path / "partway.toml"
    config.write_text("port = 'eighty'\ncolour = 'green'")
    result = CliRunner().invoke(
        app, [command, "--data-dir", "", "--config", str(config)], env={"PARTWAY_WORKERS": "none"}
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert sorted(line.split(": ")[1] for line in result.stderr.splitlines()) == [
        "environment PARTWAY_WORKERS",
        f"file {config}, key colour",
        f"file {config}, key port",
        "flag --data-dir",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["serve", "--colour", "green"], id="unknown flag"),
        pytest.param(["serve", "--port"], id="flag without a value"),
        pytest.param(["serve", "here"], id="argument"),
        pytest.param(["sreve"], id="unknown command"),
        pytest.param([], id="no command"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_data_directory_that_cannot_be_used_is_one_line_with_exit_code_3(maintenance: Maintenance) -> None:
    maintenance.unusable = DataDirectoryError("/srv/partway", "Permission denied")
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 3
    assert result.output == "partway: cannot use the data directory: /srv/partway: Permission denied\n"


@pytest.mark.parametrize(
    ("findings", "exit_code"),
    [
        pytest.param([], 0, id="clean"),
        pytest.param([ORPHAN], 0, id="all mended"),
        pytest.param([ORPHAN, LOST], 1, id="something left"),
    ],
)
def test_check_prints_findings_one_a_line(
    findings: list[Finding], exit_code: int, maintenance: Maintenance
) -> None:
    maintenance.findings = findings
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == exit_code
    assert result.stdout.splitlines() == [str(finding) for finding in findings]
    assert result.stderr == ""


def test_check_repairs_only_when_asked(maintenance: Maintenance) -> None:
    CliRunner().invoke(app, ["check", "--data-dir", "there"])
    CliRunner().invoke(app, ["check", "--data-dir", "there", "--repair"])
    there = Settings(data_dir=Path("there"))
    assert maintenance.asked == [(there, False), (there, True)]


def test_check_of_a_directory_that_cannot_be_used_is_one_line_with_exit_code_1(
    maintenance: Maintenance,
) -> None:
    maintenance.unusable = DataDirectoryError("/srv/partway", "not there")
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 1
    assert result.stderr == "partway: cannot check the data directory: /srv/partway: not there\n"


def test_version_and_module() -> None:
    command = [sys.executable, "-m", "server", "--version"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert output.split()[0] == "partway"
    assert output.split()[1][0].isdigit()
