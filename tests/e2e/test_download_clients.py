"""curl, wget and aria2 end with the right bytes although the way is cut and the server killed."""

import hashlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest

from tests.client_demo.flaky_proxy import Direction, FlakyProxy
from tests.e2e.commands import curl, run
from tests.e2e.service import Service, running
from tests.e2e.uploads import connected, publish
from tests.waiting import wait_until

MIB = 1 << 20
SIZE = 64 * MIB + 13
NAME = "download.bin"
CUTS = 6
ATTEMPTS = 40
NOT_RESUMABLE, REFUSED = 33, 22
"""Exit codes of curl: the server did not answer with the range; the server answered with an error status."""

Fetch = Callable[[str, Path], CompletedProcess[str]]


@dataclass(frozen=True, slots=True)
class Published:
    """A file on a running server."""

    service: Service
    path: str
    digest: str
    content: bytes


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """One large file for all tests."""
    content = random.Random(64).randbytes(SIZE)
    with running(tmp_path_factory.mktemp("downloads") / "data") as service:
        with connected(service.url) as client:
            path = publish(client, content, filename=NAME)
        yield Published(service, path, hashlib.sha256(content).hexdigest(), content)


@pytest.fixture
def proxy(published: Published) -> Iterator[FlakyProxy]:
    """What stands between client and server."""
    if not published.service.is_running:
        published.service.start()
    with FlakyProxy(published.service.port) as between:
        yield between


def _until_it_is_there(url: str, folder: Path) -> CompletedProcess[str]:
    """The same command again and again: curl itself does not resume between the tries of one run."""
    fetched = curl("-C", "-", "-O", url, cwd=folder)
    for _ in range(ATTEMPTS):
        if fetched.returncode == 0:
            break
        fetched = curl("-C", "-", "-O", url, cwd=folder)
    return fetched


def _wget(url: str, folder: Path) -> CompletedProcess[str]:
    options = ("--no-config", "--no-verbose", "--continue", f"--tries={ATTEMPTS}", "--waitretry=0")
    return run("wget", *options, "--retry-connrefused", url, cwd=folder)


def _aria2(url: str, folder: Path) -> CompletedProcess[str]:
    options = (
        "--no-conf",
        "--quiet",
        "-x4",
        "-s4",
        "--continue",
        "--min-split-size=1M",
        "--file-allocation=none",
    )
    return run("aria2c", *options, f"--max-tries={ATTEMPTS}", "--retry-wait=1", url, cwd=folder)


CLIENTS = [
    pytest.param(_until_it_is_there, id="curl -C -"),
    pytest.param(_wget, id="wget -c"),
    pytest.param(_aria2, id="aria2c -x4 -s4"),
]


def _digest(folder: Path) -> str:
    return hashlib.sha256((folder / NAME).read_bytes()).hexdigest()


@pytest.mark.parametrize("fetch", CLIENTS)
def test_a_download_goes_on_after_each_cut(
    published: Published, proxy: FlakyProxy, tmp_path: Path, fetch: Fetch
) -> None:
    proxy.cut(CUTS, least=1, most=8 * MIB, seed=1, direction=Direction.DOWN)

    fetched = fetch(proxy.url + published.path, tmp_path)

    assert fetched.returncode == 0, fetched
    assert proxy.cuts == CUTS
    assert _digest(tmp_path) == published.digest
    for end in {end for _, end in proxy.ranges}:
        starts = [start for start, other in proxy.ranges if other == end]
        assert starts == sorted(starts), f"what was there up to {end or 'the end'} was asked for again"


@pytest.mark.parametrize("fetch", CLIENTS)
def test_a_download_goes_on_after_the_server_was_killed(
    published: Published, proxy: FlakyProxy, tmp_path: Path, fetch: Fetch
) -> None:
    proxy.hold_after(20 * MIB, Direction.DOWN)
    with ThreadPoolExecutor(1) as pool:
        download = pool.submit(fetch, proxy.url + published.path, tmp_path)
        wait_until(lambda: proxy.passed[Direction.DOWN] >= 20 * MIB)
        published.service.kill()
        published.service.start()
        proxy.release()
        fetched = download.result()

    assert fetched.returncode == 0, fetched
    assert _digest(tmp_path) == published.digest
    assert proxy.passed[Direction.DOWN] < SIZE + 20 * MIB


@pytest.mark.parametrize("fetch", CLIENTS)
def test_a_complete_download_is_left_as_it_is(
    published: Published, proxy: FlakyProxy, tmp_path: Path, fetch: Fetch
) -> None:
    (tmp_path / NAME).write_bytes(published.content)

    fetched = fetch(proxy.url + published.path, tmp_path)

    assert fetched.returncode == 0, fetched
    assert _digest(tmp_path) == published.digest
    assert proxy.passed[Direction.DOWN] < MIB


@pytest.fixture
def url(published: Published, proxy: FlakyProxy) -> str:
    """Of the file, at the server itself."""
    return published.service.url + published.path


@pytest.fixture
def half(published: Published, tmp_path: Path) -> bytes:
    """What an earlier curl has left in the folder."""
    content = published.content[: SIZE // 2]
    (tmp_path / NAME).write_bytes(content)
    return content


def test_curl_resumes_when_the_validator_is_the_same(
    published: Published, url: str, half: bytes, tmp_path: Path
) -> None:
    etag = httpx.head(url, trust_env=False).headers["ETag"]
    fetched = curl("-f", "-C", "-", "-O", "-H", f"If-Range: {etag}", url, cwd=tmp_path)
    assert fetched.returncode == 0, fetched
    assert _digest(tmp_path) == published.digest


@pytest.mark.parametrize(
    ("condition", "exit_code"),
    [
        pytest.param('If-Range: "another"', NOT_RESUMABLE, id="If-Range"),
        pytest.param("If-Range: Sun, 06 Nov 1994 08:49:37 GMT", NOT_RESUMABLE, id="If-Range date"),
        pytest.param('If-Match: "another"', REFUSED, id="If-Match"),
    ],
)
def test_curl_does_not_mix_two_files_when_the_validator_has_changed(
    url: str, half: bytes, tmp_path: Path, condition: str, exit_code: int
) -> None:
    fetched = curl("-f", "-C", "-", "-O", "-H", condition, url, cwd=tmp_path)
    assert fetched.returncode == exit_code, fetched
    assert (tmp_path / NAME).read_bytes() == half


def test_curl_does_not_fetch_again_what_its_etag_says_it_has(url: str, tmp_path: Path) -> None:
    status = ("-w", "%{http_code} %{size_download}", "-o", NAME)
    first = curl("--etag-save", "etag", *status, url, cwd=tmp_path)
    second = curl("--etag-compare", "etag", *status, url, cwd=tmp_path)
    assert (first.stdout, second.stdout) == (f"200 {SIZE}", "304 0")


def test_curl_saves_under_the_name_that_the_server_tells(
    published: Published, url: str, tmp_path: Path
) -> None:
    fetched = curl("-fOJ", url.removesuffix(f"/{NAME}"), cwd=tmp_path)
    assert fetched.returncode == 0, fetched
    assert _digest(tmp_path) == published.digest
