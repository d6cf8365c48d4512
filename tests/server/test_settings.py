"""Settings: where they come from, what is refused, and that the documentation tells all of them."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from client_demo import cli as client
from server.settings import (
    RESOLVED_VARIABLE,
    SETTINGS,
    Setting,
    Settings,
    SettingsError,
    hand_over,
    resolve_settings,
    settings_from_environment,
)

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "settings.md"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
DAY = 86400


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("PARTWAY_"):
            monkeypatch.delenv(name)
    # Set, then deleted: so that what `hand_over` leaves is gone after the test.
    monkeypatch.setenv(RESOLVED_VARIABLE, "")
    monkeypatch.delenv(RESOLVED_VARIABLE)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "partway.toml"


def faults_of(flags: dict[str, object] | None = None, config: Path | str | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        resolve_settings(flags, None if config is None else str(config))
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    return [str(fault) for fault in caught.value.faults]


def by_key(key: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.key == key)


def test_without_any_source_the_defaults_hold() -> None:
    assert resolve_settings() == Settings()


def test_settings_made_by_hand_do_not_look_at_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTWAY_PORT", "9000")
    assert Settings().port == 8000


def test_settings_are_frozen() -> None:
    settings: Any = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1


@pytest.mark.parametrize(
    ("flag", "variable", "file", "expected"),
    [
        pytest.param("1", "2", "port = 3", 1, id="flag first"),
        pytest.param(None, "2", "port = 3", 2, id="then the environment"),
        pytest.param(None, None, "port = 3", 3, id="then the file"),
        pytest.param(None, None, "", 8000, id="then the default"),
        pytest.param("1", "not a port", "port = -1", 1, id="a value that is not used is not judged"),
    ],
)
def test_precedence(
    flag: str | None,
    variable: str | None,
    file: str,
    expected: int,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config.write_text(file)
    if variable is not None:
        monkeypatch.setenv("PARTWAY_PORT", variable)
    assert resolve_settings({"port": flag}, str(config)).port == expected


def test_each_source_gives_its_own_keys(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text('workers = 2\nlog_level = "debug"\naccess_log = false')
    monkeypatch.setenv("PARTWAY_DATA_DIR", "/srv/partway")
    settings = resolve_settings({"host": "::1", "access_log": True}, str(config))
    assert settings == Settings(
        workers=2, log_level="debug", data_dir=Path("/srv/partway"), host="::1", access_log=True
    )


def test_the_environment_names_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("port = 3")
    monkeypatch.setenv("PARTWAY_CONFIG", str(config))
    assert resolve_settings().port == 3


def test_the_flag_for_the_file_beats_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("port = 3")
    monkeypatch.setenv("PARTWAY_CONFIG", "/nowhere.toml")
    assert resolve_settings(config=str(config)).port == 3


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_setting_can_be_given_as_its_default_is_written(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting.variable, setting.default)
    assert resolve_settings() == Settings()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("8388608", 8 * MIB),
        ("8MiB", 8 * MIB),
        ("1 GiB", GIB),
        ("500MB", 500_000_000),
        ("500mb", 500_000_000),
        (" 64 KiB ", 64 * KIB),
        ("1.5GiB", 3 * GIB // 2),
        ("70000B", 70000),
        ("3TiB", 3072 * GIB),
        ("0.07GB", 70_000_000),
    ],
)
def test_sizes(written: str, expected: int) -> None:
    assert resolve_settings({"max_file_size": written}).max_file_size == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("10s", 10),
        ("30m", 1800),
        ("12h", 43200),
        ("7d", 7 * DAY),
        ("1.5 h", 5400),
        (" 7d ", 7 * DAY),
    ],
)
def test_durations(written: str, expected: float) -> None:
    assert resolve_settings({"upload_ttl": written}).upload_ttl == expected


def test_numbers_of_the_file_are_bytes_and_seconds(config: Path) -> None:
    config.write_text("keep_free = 1024\nbody_timeout = 2.5\nupload_ttl = 60")
    settings = resolve_settings(config=str(config))
    assert (settings.keep_free, settings.body_timeout, settings.upload_ttl) == (1024, 2.5, 60)


REFUSED: list[tuple[str, str]] = [
    ("host", ""),
    ("port", "-1"),
    ("port", "65536"),
    ("port", "eighty"),
    ("port", "8000.5"),
    ("data_dir", ""),
    ("workers", "0"),
    ("workers", "257"),
    ("reload", "perhaps"),
    ("log_level", "loud"),
    ("access_log", ""),
    ("default_chunk_size", "64KB"),
    ("default_chunk_size", "1025MiB"),
    ("max_chunk_size", "65535"),
    ("max_chunk_size", "2GiB"),
    ("max_file_size", "0"),
    ("max_file_size", "-1"),
    ("max_file_size", "1,5GiB"),
    ("max_file_size", "8M"),
    ("max_file_size", "8Mbit"),
    ("max_file_size", "8 MiB a chunk"),
    ("max_file_size", "8XiB"),
    ("max_file_size", "٨MiB"),
    ("max_file_size", "10001GiB"),
    ("keep_free", "inf"),
    ("keep_free", "9" * 5000),
    ("upload_ttl", "0"),
    ("upload_ttl", "-1s"),
    ("upload_ttl", "1 week"),
    ("upload_ttl", "1h30m"),
    ("upload_ttl", "3651d"),
    ("sweep_interval", "nan"),
    ("sweep_interval", "inf"),
    ("sweep_interval", "1e3"),
    ("grace_period", "9" * 400),
]


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_a_bad_value_is_one_fault_with_its_source(
    key: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(by_key(key).variable, value)
    (fault,) = faults_of()
    assert fault.startswith(f"environment {by_key(key).variable}: ")
    assert fault.endswith(f"not {value!r}")


@pytest.mark.parametrize(
    "line",
    [
        "port = true",
        "port = 8000.5",
        "port = []",
        "host = 1",
        'data_dir = "a\\u0000b"',
        'access_log = "loud"',
        "keep_free = true",
        "keep_free = inf",
        "keep_free = 1.5",
        "keep_free = -1",
        "upload_ttl = true",
        "upload_ttl = nan",
        "upload_ttl = inf",
        "upload_ttl = 07:32:00",
        "upload_ttl = {}",
    ],
)
def test_a_bad_value_of_the_file_is_one_fault_with_file_and_key(line: str, config: Path) -> None:
    config.write_text(line)
    (fault,) = faults_of(config=config)
    assert fault.startswith(f"file {config}, key {line.split()[0]}: ")


def test_all_faults_are_told_at_once(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("keep_free = false\nworkrs = 2\n[server]\nport = 1")
    monkeypatch.setenv("PARTWAY_WORKERS", "0")
    monkeypatch.setenv("PARTWAY_COLOUR", "green")
    faults = faults_of({"port": "99999", "upload_ttl": "soon"}, config)
    assert sorted(fault.split(": ")[0] for fault in faults) == [
        "environment PARTWAY_COLOUR",
        "environment PARTWAY_WORKERS",
        f"file {config}, key keep_free",
        f"file {config}, key server",
        f"file {config}, key workrs",
        "flag --port",
        "flag --upload-ttl",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        pytest.param("PARTWAY_PROT", "PARTWAY_PORT", id="letters swapped"),
        pytest.param("PARTWAY_DATADIR", "PARTWAY_DATA_DIR", id="no underscore"),
        pytest.param("PARTWAY_CONFIGURATION", "PARTWAY_CONFIG", id="the file"),
        pytest.param("partway_wokers", "PARTWAY_WORKERS", id="lower case"),
        pytest.param("PARTWAY_COLOUR", None, id="nothing like it"),
    ],
)
def test_an_unknown_variable_is_refused(name: str, hint: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    expected = f"unknown; did you mean {hint}?" if hint else "unknown"
    assert faults_of() == [f"environment {name}: {expected}"]


def test_an_unknown_key_of_the_file_is_refused(config: Path) -> None:
    config.write_text("wokers = 1\nPort = 1")
    assert faults_of(config=config) == [
        f"file {config}, key wokers: unknown; did you mean workers?",
        f"file {config}, key Port: unknown; did you mean port?",
    ]


def test_variables_of_the_client_are_none_of_the_servers_business(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        str(parameter.envvar)
        for command in typer.main.get_group(client.app).commands.values()
        for parameter in command.params
        if parameter.envvar
    }
    assert variables
    for variable in variables:
        monkeypatch.setenv(variable, "http://127.0.0.1:8000")
    assert resolve_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("missing.toml", None, "flag --config: cannot read '{}': not a file", id="not there"),
        pytest.param(".", None, "flag --config: cannot read '{}': not a file", id="a folder"),
        pytest.param("c.toml", b"port = ", "file {}: not TOML: ", id="cut off"),
        pytest.param("c.toml", b"port = 1\nport = 2", "file {}: not TOML: ", id="the same key twice"),
        pytest.param("c.toml", b"\xff\xfe\x00", "file {}: not TOML: ", id="not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_fault_beside_the_others(
    name: str, content: bytes | None, expected: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    faults = faults_of({"port": "x"}, path)
    assert len(faults) == 2
    assert faults[0].startswith(expected.format(path))
    assert faults[1].startswith("flag --port: ")


def test_reload_needs_one_worker() -> None:
    assert faults_of({"reload": True, "workers": "2"}) == [
        "flag --reload: cannot be on with more than one worker, not True"
    ]


def test_the_default_chunk_size_is_within_the_largest() -> None:
    assert faults_of({"max_chunk_size": "4MiB"}) == [
        "flag --max-chunk-size: should be at least default_chunk_size, 8388608 bytes, not '4MiB'"
    ]
    assert (
        resolve_settings({"max_chunk_size": "4MiB", "default_chunk_size": "4MiB"}).max_chunk_size == 4 * MIB
    )


def test_workers_read_exactly_what_was_resolved(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("workers = 3\nbody_timeout = 0.1")
    settings = resolve_settings({"data_dir": "some where", "keep_free": "1GiB"}, str(config))
    hand_over(settings)
    monkeypatch.setenv("PARTWAY_WORKERS", "7")
    assert settings_from_environment() == settings


def test_what_was_handed_over_is_not_an_unknown_variable() -> None:
    hand_over(Settings(port=1))
    assert resolve_settings() == Settings()


def test_without_a_hand_over_a_worker_resolves_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARTWAY_PORT", "9")
    assert settings_from_environment() == Settings(port=9)


def test_every_field_has_a_meaning() -> None:
    assert {setting.key for setting in SETTINGS if not setting.meaning.endswith(".")} == set()


def test_the_documentation_tells_every_setting() -> None:
    rows = [line for line in DOCUMENTATION.read_text().splitlines() if line.startswith("| `")]
    assert rows == [_row(setting) for setting in SETTINGS]


def _row(setting: Setting) -> str:
    flags = f"`{setting.flag}`, `{setting.off_flag}`" if setting.is_switch else f"`{setting.flag}`"
    cells = [f"`{setting.key}`", flags, f"`{setting.variable}`", setting.unit or "-", setting.default]
    return f"| {' | '.join([*cells, setting.meaning])} |"


def test_the_example_of_the_documentation_is_a_config_file(config: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    assert example
    config.write_text(example[1])
    settings = resolve_settings(config=str(config))
    assert settings == Settings(
        data_dir=Path("/srv/partway"), workers=2, max_file_size=50 * GIB, upload_ttl=2 * DAY
    )
