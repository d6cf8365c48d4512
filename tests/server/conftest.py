"""The running servers of the API's tests. The whole suite runs once over every data path in `TRANSPORTS`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from server.cli import FAST_PATH, PORTABLE_PATH
from tests.native_api import NativeApi
from tests.process_watch import transfer_descriptors
from tests.servers import RunningServer, running_server
from tests.transports import Serve, Transport
from tests.waiting import wait_until

TRANSPORTS = [
    Transport("portable", ("--transport", "portable"), PORTABLE_PATH),
    Transport("fast", ("--transport", "fast"), FAST_PATH),
]


@pytest.fixture(scope="session", params=TRANSPORTS, ids=lambda transport: transport.name)
def transport(request: pytest.FixtureRequest) -> Transport:
    """The data path under test."""
    chosen: Transport = request.param
    return chosen


@pytest.fixture(scope="session")
def serve(transport: Transport) -> Serve:
    """Starts a server of its own, with further flags, for the length of a block."""

    @contextmanager
    def start(data_dir: Path, *flags: str) -> Iterator[RunningServer]:
        with running_server(data_dir, "--no-access-log", *transport.flags, *flags) as server:
            yield server

    return start


@pytest.fixture(scope="session")
def server(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server that most tests share; they see each other's uploads and files."""
    with serve(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def client(server: RunningServer) -> Iterator[httpx.Client]:
    """An HTTP client of the shared server."""
    with httpx.Client(base_url=server.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="session")
def api(client: httpx.Client) -> NativeApi:
    """The native API of the shared server."""
    return NativeApi(client)


@pytest.fixture(scope="session")
def lone_api(server: RunningServer) -> Iterator[NativeApi]:
    """The same, with a connection for each request, so that none counts as left open."""
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=server.url, limits=limits, timeout=30) as http:
        yield NativeApi(http)


@pytest.fixture
def unharmed(server: RunningServer, lone_api: NativeApi) -> Iterator[None]:
    """After the test the server answers, and has nothing more open than before."""
    before = transfer_descriptors(server.process.pid)
    yield
    assert lone_api.http.get("/healthz").status_code == 200
    wait_until(lambda: len(transfer_descriptors(server.process.pid)) <= len(before), "descriptors closed")
