"""A real file goes up past a killed server, and comes down past cuts; not a byte of it changes."""

import hashlib
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.e2e.commands import begun, curl, ended
from tests.e2e.service import Service, findings
from tests.waiting import wait_until

MIB = 1 << 20
LEAST_SIZE = 64 * MIB
ATTEMPTS = 20


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """This Python's library as a tar; what is installed beside it follows where that alone is small."""
    path = tmp_path / "python-lib.tar"
    with tarfile.open(path, "w") as tar:
        for source in chain(_sources("stdlib"), _sources("purelib")):
            tar.add(source, arcname=str(source).lstrip("/"))
            if tar.offset >= LEAST_SIZE:
                break
    assert path.stat().st_size >= LEAST_SIZE
    return path


def _sources(name: str) -> Iterator[Path]:
    folder = Path(sysconfig.get_path(name))
    return (path for path in sorted(folder.rglob("*.py")) if path.is_file())


@pytest.fixture
def proxy(service: Service) -> Iterator[FlakyProxy]:
    """What holds and cuts the transfers."""
    with FlakyProxy(service.port) as between:
        yield between


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client keeps its journal here, and not in the home of who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_real_file_survives_a_killed_server_on_its_way_up_and_cuts_on_its_way_down(
    service: Service, proxy: FlakyProxy, archive: Path, tmp_path: Path
) -> None:
    size, digest = archive.stat().st_size, _digest(archive)
    url = _put_past_a_kill(service, proxy, archive)
    assert findings(service.data_dir) == []

    proxy.cut(4, least=MIB, most=size // 5, seed=1, direction=Direction.DOWN)
    for _ in range(ATTEMPTS):
        if curl("-C", "-", "-o", "copy.tar", url, cwd=tmp_path).returncode == 0:
            break
    assert proxy.cuts == 4
    assert _digest(tmp_path / "copy.tar") == digest


def _put_past_a_kill(service: Service, proxy: FlakyProxy, archive: Path) -> str:
    """Send the file with `partway-client`; the server dies when about a third of it is there."""
    held_at = archive.stat().st_size // 3
    proxy.hold_after(held_at, Direction.UP)
    put = (sys.executable, "-m", "client_demo", "put", archive, "--server", proxy.url, "--chunk-size", "1MiB")
    with begun(*put, cwd=Path.cwd()) as sending:
        wait_until(lambda: proxy.passed[Direction.UP] >= held_at)
        service.kill()
        service.start()
        proxy.release()
        sent = ended(sending)
    assert sent.returncode == 0, sent
    assert proxy.passed[Direction.UP] < archive.stat().st_size * 3 // 2
    return sent.stdout.strip()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
