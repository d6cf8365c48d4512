"""The settings of the server: what can be set, where a value may come from, and what is wrong with it.

A flag beats the environment, the environment beats the TOML file, the file beats the default. A `Settings`
reads nothing but its arguments; `resolve_settings` looks at the sources and tells all faults at once.
It may read the environment and the file it is pointed at, and touches nothing else.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    ByteSize,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from storage.chunks import MAX_CHUNK_SIZE, MAX_CHUNKS, MIN_CHUNK_SIZE
from storage.limits import Limits

PREFIX = "PARTWAY_"
CONFIG_FLAG, CONFIG_VARIABLE = "--config", "PARTWAY_CONFIG"
RESOLVED_VARIABLE = "PARTWAY_RESOLVED_SETTINGS"
_NOT_SETTINGS = frozenset({RESOLVED_VARIABLE, "PARTWAY_SERVER"})
"""Variables of this prefix that are no setting; the last tells the client where the server is."""

_SECONDS_IN = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_BYTES_IN = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([dhms]?)\s*", re.ASCII)
_SIZE = re.compile(r"\s*\d{1,19}(\.\d{1,19})?\s*([kmgtp]i?b|b)?\s*", re.ASCII | re.IGNORECASE)
_BYTE_SIZE = TypeAdapter(ByteSize)
_TEN_YEARS = 3650 * _SECONDS_IN["d"]
_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Unit:
    """What the numbers of a setting count; metadata of its type."""

    name: str


def _whole_number(value: object) -> object:
    # Left to itself, pydantic takes true for 1.
    if type(value) in {bool, float}:
        raise ValueError("should be a whole number")
    return value


def _size(value: object) -> object:
    if not isinstance(value, str):
        return _whole_number(value)
    # ByteSize ignores what it cannot read ("1,5GiB" would be one byte), and knows bits, and M for 10^6.
    if not _SIZE.fullmatch(value):
        raise ValueError("should be bytes, or a size like 8MiB, 1 GiB or 500MB")
    return int(_BYTE_SIZE.validate_python(value.strip()))


def _duration(value: object) -> object:
    if type(value) is bool:
        raise ValueError("should be a duration")
    if not isinstance(value, str):
        return value
    if not (match := _DURATION.fullmatch(value)):
        raise ValueError("should be seconds, or a duration like 7d, 12h, 30m or 10s")
    return float(match[1]) * _SECONDS_IN[match[2] or "s"]


def _path(value: object) -> object:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("should be a path")
    return value


Whole = Annotated[int, BeforeValidator(_whole_number)]
Bytes = Annotated[int, BeforeValidator(_size), Field(ge=0), Unit("bytes")]
ChunkBytes = Annotated[Bytes, Field(ge=MIN_CHUNK_SIZE, le=MAX_CHUNK_SIZE)]
Seconds = Annotated[
    float, BeforeValidator(_duration), Field(gt=0, le=_TEN_YEARS, allow_inf_nan=False), Unit("seconds")
]


class Settings(BaseSettings):
    """Everything that can be set. Sizes are in bytes, durations in seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", validate_default=True, case_sensitive=True, env_prefix=PREFIX
    )

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: Whole = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Annotated[Path, BeforeValidator(_path)] = Field(
        default=Path("data"), description="Folder of everything that is stored; made if it is not there."
    )
    workers: Whole = Field(default=1, ge=1, le=256, description="Processes that serve.")
    reload: bool = Field(
        default=False, description="Start again when the code changes; with one worker only."
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        default="info", description="Least severe message to log: critical, error, warning, info or debug."
    )
    access_log: bool = Field(default=True, description="Log every request, on standard output.")
    default_chunk_size: ChunkBytes = Field(
        default=_LIMITS.default_chunk_size,
        description="Chunk size of an upload whose client asks for none, 64 KiB to 1 GiB; "
        "grows for files of more than 10 000 chunks.",
    )
    max_chunk_size: ChunkBytes = Field(
        default=_LIMITS.max_chunk_size,
        description="Largest chunk size of an upload, 64 KiB to 1 GiB; "
        "lower it to what a proxy in front lets through.",
    )
    max_file_size: Bytes = Field(
        default=_LIMITS.max_file_size,
        ge=1,
        le=MAX_CHUNKS * MAX_CHUNK_SIZE,
        description="Largest file; never more than 10 000 chunks of the largest chunk size.",
    )
    keep_free: Bytes = Field(
        default=8 << 20,
        description="Disk space given to no upload, so that journals and catalog can still be written.",
    )
    upload_ttl: Seconds = Field(
        default=_LIMITS.upload_ttl.total_seconds(),
        description="How long an upload may go without a byte before it expires.",
    )
    sweep_interval: Seconds = Field(default=300, description="Time between two searches for expired uploads.")
    flush_interval: Seconds = Field(
        default=30, description="Time between two flushes of arrived bytes not yet known to be on disk."
    )
    body_timeout: Seconds = Field(
        default=60, description="How long a sender may be silent before the answer is 408."
    )
    min_rate: Bytes = Field(
        ByteSize(256),
        description="Bytes per second a sender has to reach on average after `rate_grace`; 0: none.",
    )
    rate_grace: Seconds = Field(60, description="How long a sender may be slower than `min_rate`.")
    header_timeout: Seconds = Field(30, description="How long a request header may take to arrive.")
    send_timeout: Seconds = Field(
        60, description="How long a client may read nothing of its answer before it is cut off."
    )
    transport: Literal["fast", "portable"] = Field(
        "fast",
        description="How bytes move: fast, from socket to file by the kernel; portable, through plain ASGI.",
    )
    grace_period: Seconds = Field(
        default=10,
        description="How long a server told to stop waits for requests in progress; rounded up to seconds.",
    )

    @field_validator("reload")
    @classmethod
    def _reload_needs_one_worker(cls, reload: bool, info: ValidationInfo) -> bool:
        if reload and info.data.get("workers", 1) > 1:
            raise ValueError("cannot be on with more than one worker")
        return reload

    @field_validator("max_chunk_size")
    @classmethod
    def _default_is_allowed(cls, maximum: int, info: ValidationInfo) -> int:
        default = info.data.get("default_chunk_size", 0)
        if maximum < default:
            raise ValueError(f"should be at least default_chunk_size, {default} bytes")
        return maximum

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only: nobody who makes a `Settings` gets values from his environment unasked."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Setting:
    """What people are told of one field of `Settings`: its names, and its default as they would write it."""

    key: str
    unit: str
    default: str
    meaning: str
    is_switch: bool

    @property
    def flag(self) -> str:
        """The command-line flag."""
        return "--" + self.key.replace("_", "-")

    @property
    def off_flag(self) -> str:
        """The flag that turns a switch off."""
        return "--no-" + self.key.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.key.upper()

    @classmethod
    def of(cls, key: str, field: FieldInfo) -> "Setting":
        """Read it off the model."""
        unit = next((item.name for item in field.metadata if isinstance(item, Unit)), "")
        default = _as_written(field.default, unit)
        return cls(key, unit, default, field.description or "", field.annotation is bool)


def _as_written(value: object, unit: str) -> str:
    scale = {"bytes": _BYTES_IN, "seconds": _SECONDS_IN}.get(unit, {})
    if isinstance(value, bool):
        return "on" if value else "off"
    for name, size in scale.items():
        if isinstance(value, int | float) and value % size == 0:
            return f"{int(value) // size}{name}"
    return str(value)


SETTINGS = tuple(Setting.of(key, field) for key, field in Settings.model_fields.items())


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the settings; `where` names the source and the key."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class SettingsError(Exception):
    """The settings cannot be used; `faults` is everything wrong with them, one line each."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    where: str


def resolve_settings(flags: Mapping[str, object] | None = None, config: str | None = None) -> Settings:
    """The settings that hold, from every source.

    Args:
        flags: values of the command line by key, as they were typed or as bool; None means not given.
        config: path of a TOML file; without it PARTWAY_CONFIG names one. None is looked for elsewhere.

    Raises:
        SettingsError: a value or a key is at fault, or the file cannot be read.
    """
    faults = list(_unknown_variables())
    given: dict[str, _Given] = {}
    try:
        given = _from_file(config)
    except SettingsError as exc:
        faults += exc.faults
    given |= _from_environment() | _from_flags(flags or {})
    try:
        settings = Settings.model_validate({key: item.value for key, item in given.items()})
    except ValidationError as exc:
        faults += [_fault(error, given) for error in exc.errors()]
        raise SettingsError(faults) from exc
    if faults:
        raise SettingsError(faults)
    return settings


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    names = {setting.key: setting.flag for setting in SETTINGS}
    return {key: _Given(value, f"flag {names[key]}") for key, value in flags.items() if value is not None}


def _from_environment() -> dict[str, _Given]:
    values = EnvSettingsSource(Settings, case_sensitive=False)()
    return {key: _Given(value, f"environment {PREFIX}{key.upper()}") for key, value in values.items()}


def _unknown_variables() -> Iterator[Fault]:
    variables = {setting.key: setting.variable for setting in SETTINGS} | {"config": CONFIG_VARIABLE}
    known = {*variables.values(), *_NOT_SETTINGS}
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            yield Fault(f"environment {name}", _unknown(name[len(PREFIX) :], variables))


def _from_file(config: str | None) -> dict[str, _Given]:
    where, path = f"flag {CONFIG_FLAG}", config
    if path is None:
        where, path = f"environment {CONFIG_VARIABLE}", os.environ.get(CONFIG_VARIABLE)
    if path is None:
        return {}
    try:
        values = _read_toml(Path(path))
    except OSError as exc:
        raise SettingsError([Fault(where, f"cannot read {path!r}: {exc.strerror}")]) from exc
    except ValueError as exc:
        raise SettingsError([Fault(f"file {path}", f"not TOML: {exc}")]) from exc
    return {key: _Given(value, f"file {path}, key {key}") for key, value in values.items()}


def _read_toml(path: Path) -> dict[str, object]:
    # The source takes a path that is no file for an empty one.
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "not a file")
    return TomlConfigSettingsSource(Settings, toml_file=path)()


def _fault(error: ErrorDetails, given: Mapping[str, _Given]) -> Fault:
    key = str(error["loc"][0])
    item = given.get(key) or _Given(error["input"], f"default of {key}")
    if error["type"] == "extra_forbidden":
        return Fault(item.where, _unknown(key, {name: name for name in Settings.model_fields}))
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return Fault(item.where, f"{message}, not {item.value!r}")


def _unknown(key: str, names: Mapping[str, str]) -> str:
    """What to say of an unknown key, in a source that calls the known ones by the values of `names`."""
    close = get_close_matches(key.lower(), names, n=1)
    return f"unknown; did you mean {names[close[0]]}?" if close else "unknown"


def hand_over(settings: Settings) -> None:
    """Leave resolved settings in the environment, for this process and the workers it starts."""
    os.environ[RESOLVED_VARIABLE] = settings.model_dump_json()


def settings_from_environment() -> Settings:
    """What `hand_over` left; where nobody did (another ASGI server), what environment and file say.

    Raises:
        SettingsError: see `resolve_settings`.
    """
    resolved = os.environ.get(RESOLVED_VARIABLE)
    return resolve_settings() if resolved is None else Settings.model_validate_json(resolved)
