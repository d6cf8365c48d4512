"""A browser for the tests of a module; a server, a window and files for each of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests.e2e.service import Service, running
from tests.web.browser import Window, open_window, running_browser

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Not for the session: its event loop runs as long, and other tests have their own."""
    with running_browser() as started:
        yield started


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with small chunks, so that there is something to stop in the middle of."""
    flags = ("--max-chunk-size", "256KiB", "--default-chunk-size", "256KiB")
    with running(tmp_path_factory.mktemp("web") / "data", *flags) as started:
        yield started


@pytest.fixture
def service(shared_service: Service) -> Service:
    """A running server that holds nothing."""
    if not shared_service.is_running:
        shared_service.start()
    for kind in ("uploads", "files"):
        for item in httpx.get(f"{shared_service.url}/{kind}").json()["items"]:
            httpx.delete(f"{shared_service.url}/{kind}/{item['id']}").raise_for_status()
    return shared_service


@pytest.fixture
def window(browser: Browser, service: Service) -> Iterator[Window]:
    """The page in a browser that speaks English; nothing may go wrong in it that nobody catches."""
    opened = open_window(browser, service.url)
    yield opened
    opened.context.close()
    assert not opened.errors


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file of random bytes."""

    def write(name: str, size: int = 3 * MEBIBYTE) -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        return path

    return write
