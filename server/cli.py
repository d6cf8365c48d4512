"""The command `partway`: settings in, a running server or a checked data directory out.

Exit codes: 0 stopped as asked, or all is well; 1 `check` left something unmended; 2 wrong settings or usage;
3 the server could not start. The application is imported only by what needs it: each worker, by name, and the
work on the data directory.
"""

import inspect
import logging
import logging.config
import math
import signal
import socket
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from uvicorn import Config, Server
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload, Multiprocess

from server.settings import (
    CONFIG_FLAG,
    CONFIG_VARIABLE,
    SETTINGS,
    Setting,
    Settings,
    SettingsError,
    hand_over,
    resolve_settings,
)
from server.transport.fitness import misfits
from server.workers import allow_descriptors
from storage.errors import StorageError

FAST_PATH, PORTABLE_PATH = "server.transport.protocol:TransferProtocol", "httptools"
APPLICATION = "server.app:create_app_from_environment"
EXIT_UNMENDED, EXIT_USAGE = 1, 2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BACKLOG = 2048
_WORKER_ANSWERS_SECONDS = 10
"""How long a worker may not answer its parent before it is replaced: a busy machine is slow, not dead."""

_log = logging.getLogger("partway.server")
app = typer.Typer(
    help="A resumable upload and download server.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"partway: {line}", err=True)
    raise typer.Exit(code)


def _flag(setting: Setting) -> inspect.Parameter:
    """One setting as an option of a command. Its value stays as typed: `Settings` judges all sources."""
    names = f"{setting.flag}/{setting.off_flag}" if setting.is_switch else setting.flag
    option: object = typer.Option(
        None,
        names,
        metavar=None if setting.is_switch else (setting.unit or "value").upper(),
        help=f"{setting.meaning} [{setting.variable}; default: {setting.default}]",
    )
    annotation = bool | None if setting.is_switch else str | None
    return inspect.Parameter(
        setting.key, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation
    )


def _config_flag() -> inspect.Parameter:
    option: object = typer.Option(
        None, CONFIG_FLAG, metavar="FILE", help=f"TOML file with settings. [{CONFIG_VARIABLE}]"
    )
    return inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=option, annotation=str | None)


def _with_settings(*settings: Setting) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function of `Settings`: it gets a flag for each of `settings`, and `--config`."""
    flags = [_flag(setting) for setting in settings] + [_config_flag()]
    keys = [setting.key for setting in settings]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command).parameters.values()

        @wraps(command)
        def run(*, config: str | None, **values: Any) -> None:
            given = {key: values.pop(key) for key in keys}
            try:
                resolved = resolve_settings(given, config)
            except SettingsError as exc:
                _fail(str(exc), EXIT_USAGE)
            command(resolved, **values)

        # Typer reads the options off the signature.
        vars(run)["__signature__"] = inspect.Signature([*own, *flags])
        return run

    return decorate


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"partway {version('partway')}")
        raise typer.Exit


@app.callback()
def partway(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A resumable upload and download server."""


@app.command()
@_with_settings(*SETTINGS)
def serve(settings: Settings) -> None:
    """Run the server until Ctrl-C or SIGTERM."""
    from server.maintenance import prepare

    _leave_on_stop_signals()
    logging.config.dictConfig(_log_config(settings.log_level))
    allow_descriptors()
    try:
        prepare(settings)
    except StorageError as exc:
        _fail(f"cannot use the data directory: {exc}", STARTUP_FAILURE)
    try:
        listener = _listen(settings.host, settings.port)
    except (OSError, UnicodeError) as exc:
        _fail(f"cannot listen on {settings.host!r}: {exc}", STARTUP_FAILURE)
    hand_over(settings)
    with listener:
        _run(_uvicorn_config(settings), listener)


@app.command()
@_with_settings(*(setting for setting in SETTINGS if setting.key == "data_dir"))
def check(
    settings: Settings,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False,
) -> None:
    """Look for what should not be in the data directory; exit code 1 when something is left unmended."""
    from server.maintenance import check as findings

    left = 0
    try:
        for finding in findings(settings, repair=repair):
            typer.echo(finding)
            left += not finding.mended
    except StorageError as exc:
        _fail(f"cannot check the data directory: {exc}", EXIT_UNMENDED)
    if left:
        raise typer.Exit(EXIT_UNMENDED)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, opened before any worker starts, so that a taken port is told once and clearly."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Connections inherit it. asyncio sets it only on sockets it has made itself, and without it the body of
    # an answer waits 40 ms for the acknowledgement of its header.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _log_config(level: str) -> dict[str, Any]:
    """uvicorn's, with our own logger beside its own."""
    ours = {"partway": {"handlers": ["default"], "level": level.upper(), "propagate": False}}
    return {**LOGGING_CONFIG, "loggers": LOGGING_CONFIG["loggers"] | ours}


def _uvicorn_config(settings: Settings) -> Config:
    code = [str(Path(__file__).parent), str(Path(inspect.getfile(StorageError)).parent)]
    return Config(
        APPLICATION,
        factory=True,
        http=http_protocol(settings),
        ws="none",
        lifespan="on",
        workers=settings.workers,
        reload=settings.reload,
        reload_dirs=code if settings.reload else None,
        log_config=_log_config(settings.log_level),
        log_level=settings.log_level,
        access_log=settings.access_log,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=math.ceil(settings.grace_period),
        timeout_worker_healthcheck=_WORKER_ANSWERS_SECONDS,
    )


def http_protocol(settings: Settings) -> str:
    """The fast path, where it is wanted and fits this uvicorn; else uvicorn's own, right but slower."""
    if settings.transport == "portable":
        return PORTABLE_PATH
    if found := misfits():
        _log.warning("This uvicorn does not fit the fast path, going without: %s", "; ".join(found))
        return PORTABLE_PATH
    return FAST_PATH


def _run(config: Config, listener: socket.socket) -> None:
    """Serve until told to stop; exit code 3 when the application did not start.

    As `uvicorn.run` does it, but with the socket at hand in all three modes.
    """
    host, port = listener.getsockname()[:2]
    address = f"[{host}]" if listener.family == socket.AF_INET6 else host
    _log.info("Listening on http://%s:%d (Ctrl-C stops)", address, port)
    failed = False
    if config.reload:
        ChangeReload(config, target=_Server(config).run, sockets=[listener]).run()
    elif config.workers > 1:
        supervisor = Multiprocess(config, sockets=[listener])
        supervisor.run()
        failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    else:
        server = _Server(config)
        server.run(sockets=[listener])
        failed = not server.started
    _ignore_stop_signals()
    if failed:
        raise typer.Exit(STARTUP_FAILURE)


class _Server(Server):
    """uvicorn's, for which to be told to stop is no failure."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop in order, also when told twice: the grace period bounds the wait.

        uvicorn's own would raise the signal again at the end, so that the process dies of it, and would drop
        what is in progress, and the application's own shutdown, at the second SIGINT.
        """
        self.should_exit = True


def _leave_on_stop_signals() -> None:
    """Let SIGINT and SIGTERM end this process with exit code 0 also while it does not serve yet."""
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda _signal, _frame: sys.exit(0))


def _ignore_stop_signals() -> None:
    """From here on the process ends by itself; a second signal must not turn that into a failure."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """The entry point of the command `partway`."""
    app()
