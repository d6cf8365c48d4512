"""Debian's Chromium, driven headless against the real server process; no browser is downloaded."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    CDPSession,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Pickers cannot be driven in a headless browser: without them the page uses its inputs and links.
_NO_PICKERS = "delete window.showOpenFilePicker; delete window.showSaveFilePicker;"
# Machines are shared; a wait that succeeds ends at once.
expect.set_options(timeout=30_000)
DONE = re.compile(r"^(Uploaded|Already there)")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser for the length of a block."""
    executable = shutil.which("chromium")
    assert executable is not None, "scripts/packages installs chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Window:
    """The page in a browser window of its own; what went wrong in it is in `errors`."""

    page: Page
    url: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def context(self) -> BrowserContext:
        """What the window shares with others of the same person."""
        return self.page.context

    def choose(self, *files: Path) -> None:
        """Choose files, as the picker would."""
        self.page.locator("#picker").set_input_files(list(files))

    def rows(self) -> Locator:
        """The uploads in the list."""
        return self.page.locator("#transfers .card")

    def row(self, name: str) -> Locator:
        """The upload of the file of this name."""
        return self.rows().filter(has_text=name)

    def finished(self, name: str) -> None:
        """Wait until it is uploaded."""
        expect(self.row(name).locator(".status")).to_have_text(DONE)

    def begun(self, name: str) -> None:
        """Wait until some of it, and not all, has arrived; more than what is on its way at the start."""
        expect(self.row(name)).to_have_attribute("data-state", "sending")
        expect(self.row(name).locator(".percent")).to_have_text(re.compile(r"^[2-9]\d\s%$"))

    def say_yes(self) -> None:
        """Confirm what the page asks."""
        self.page.locator("#confirm-yes").click()

    def reload(self) -> None:
        """Load the page again, which ends its uploads."""
        self.page.reload()
        expect(self.page.locator("#files-note")).not_to_have_text("Loading…")

    def sent_chunks(self) -> list[str]:
        """The paths of the chunks sent so far."""
        return [line for line in self.requests if line.startswith("PUT ")]

    def network(self, bytes_per_second: int = 0, *, offline: bool = False) -> None:
        """Let everything take its time (0: no time), or take the network away."""
        self._devtools.send("Network.enable")
        throughput = bytes_per_second or -1
        self._devtools.send(
            "Network.emulateNetworkConditions",
            {
                "offline": offline,
                "latency": 0,
                "downloadThroughput": throughput,
                "uploadThroughput": throughput,
            },
        )

    @cached_property
    def _devtools(self) -> CDPSession:
        return self.context.new_cdp_session(self.page)

    def screenshot(self, name: str, *, full_page: bool = True) -> None:
        """Keep a picture of the page as an artefact of the tests."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=full_page)


def open_window(browser: Browser, url: str, *, script: str = _NO_PICKERS, **options: Any) -> Window:
    """A window of a new person at `url`, with the options of Playwright's `new_context`."""
    context = browser.new_context(**{"locale": "en-US", "service_workers": "block", **options})
    context.add_init_script(script)
    window = Window(context.new_page(), url)
    window.page.on("pageerror", lambda error: window.errors.append(str(error)))
    window.page.on("request", lambda request: window.requests.append(_line(request, url)))
    window.page.goto(url)
    expect(window.page.locator("#files-note")).not_to_have_text(re.compile("Loading|正在加载"))
    return window


def _line(request: Request, url: str) -> str:
    return f"{request.method} {request.url.removeprefix(url)}"
