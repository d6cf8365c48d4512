"""Downloads that the page writes itself: resumed where they stopped, begun anew when the file is another."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.service import Service
from tests.web.browser import Window, open_window

MakeFile = Callable[..., Path]
# The private file system of the browser has the very streams that the save picker gives.
SAVE_PICKER = """
delete window.showOpenFilePicker;
window.showSaveFilePicker = async ({suggestedName}) => {
  const folder = await navigator.storage.getDirectory();
  return folder.getFileHandle(suggestedName, {create: true});
};
"""
SAVED = """async (name) => {
  const folder = await navigator.storage.getDirectory();
  const bytes = await (await (await folder.getFileHandle(name)).getFile()).arrayBuffer();
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  const served = await (await fetch(document.querySelector(".save").href)).arrayBuffer();
  const known = await crypto.subtle.digest("SHA-256", served);
  return bytes.byteLength > 0 && String(new Uint8Array(digest)) === String(new Uint8Array(known));
}"""


@pytest.fixture
def window(browser: Browser, service: Service) -> Iterator[Window]:
    """A page that may write files."""
    opened = open_window(browser, service.url, script=SAVE_PICKER)
    yield opened
    opened.context.close()
    assert not opened.errors


def start(window: Window, file: Path, slowly: int = 1_500_000) -> None:
    """Upload a file, then download it slowly until some of it is there."""
    window.choose(file)
    window.finished(file.name)
    window.network(slowly)
    window.page.locator("#files").get_by_role("link", name=f"Download: {file.name}").click()
    expect(window.page.locator("#downloads .percent")).to_have_text(re.compile(r"^[1-9]\d\s%$"))


def test_a_paused_download_goes_on(window: Window, make_file: MakeFile) -> None:
    start(window, make_file("big.bin"))
    ranges: list[str] = []
    window.page.on("request", lambda request: ranges.append(request.headers.get("range", "")))
    window.page.get_by_role("button", name="Pause: big.bin").click()
    expect(window.page.locator("#downloads .status")).to_have_text(re.compile("^Paused"))
    window.network()
    window.page.get_by_role("button", name="Resume: big.bin").click()
    expect(window.page.locator("#downloads .status")).to_have_text(re.compile("^Saved"))
    assert re.fullmatch(r"bytes=[1-9]\d+-", ranges[0])
    assert window.page.evaluate(SAVED, "big.bin")


def test_a_download_outlives_a_killed_server(window: Window, service: Service, make_file: MakeFile) -> None:
    # More than what sockets and browser hold between them.
    start(window, make_file("big.bin", 24_000_000), 5_000_000)
    service.kill()
    expect(window.page.locator("#downloads .status")).to_contain_text("No connection")
    service.start()
    window.network()
    expect(window.page.locator("#downloads .status")).to_have_text(re.compile("^Saved"))
    assert window.page.evaluate(SAVED, "big.bin")


def test_a_changed_file_starts_again(window: Window, make_file: MakeFile) -> None:
    start(window, make_file("big.bin"))
    window.page.get_by_role("button", name="Pause: big.bin").click()
    window.network()
    answer = {"status": 200, "body": "another file", "headers": {"ETag": '"other"', "Content-Length": "12"}}
    window.page.route("**/content/**", lambda route: route.fulfill(**answer))
    window.page.get_by_role("button", name="Resume: big.bin").click()
    expect(window.page.locator("#notice")).to_contain_text("starts again")
    expect(window.page.locator("#downloads .status")).to_have_text(re.compile(r"^Saved · 12\sbytes"))


def test_elsewhere_the_browser_downloads(browser: Browser, service: Service, make_file: MakeFile) -> None:
    plain = open_window(browser, service.url)
    file = make_file("plain.bin", 300_000)
    plain.choose(file)
    plain.finished("plain.bin")
    with plain.page.expect_download() as download:
        plain.page.locator("#files").get_by_role("link", name="Download: plain.bin").click()
    assert Path(download.value.path()).read_bytes() == file.read_bytes()
    assert download.value.suggested_filename == "plain.bin"
    plain.context.close()
