"""The page itself: its files, its languages, what everybody can use, and how it looks."""

import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.service import Service
from tests.web.browser import Window, open_window

MakeFile = Callable[..., Path]
PHONE = {"width": 375, "height": 812}
DESKTOP = {"width": 1100, "height": 900}
AXE = Path(__file__).parents[2] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
"""Put there by scripts/axe."""


def busy(window: Window, make_file: MakeFile, notes: Path) -> None:
    """Bring the page into a state that shows all its parts."""
    notes.write_text("to be shown in the browser")
    window.choose(make_file("holiday.mov"), notes)
    for name in ("holiday.mov", "notes.txt"):
        expect(window.row(name)).to_have_attribute("data-state", "done")
    window.network(1_000_000)
    window.choose(make_file("left behind.bin"))
    window.begun("left behind.bin")
    window.page.reload()
    expect(window.page.locator("#unfinished-list .card")).to_be_visible()
    notes.write_text("another")
    window.choose(notes, make_file("backup-2026-11-20.tar.zst", 6_000_000), make_file("third.bin"))
    expect(window.row("notes.txt")).to_have_attribute("data-state", "done")
    window.begun("backup")
    window.row("third.bin").locator(".toggle").click()
    expect(window.row("third.bin")).to_have_attribute("data-state", "paused")


def faults(window: Window) -> list[str]:
    """What axe-core finds wrong, of every impact but the least."""
    window.page.evaluate(AXE.read_text())
    result = window.page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html']}"
        for violation in result["violations"]
        if violation["impact"] in {"moderate", "serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize(
    ("theme", "language", "size"),
    [
        pytest.param("light", "en-US", DESKTOP, id="light-en-desktop"),
        pytest.param("dark", "zh-CN", DESKTOP, id="dark-zh-desktop"),
        pytest.param("dark", "en-US", PHONE, id="dark-en-phone"),
        pytest.param("light", "zh-CN", PHONE, id="light-zh-phone"),
    ],
)
def test_everybody_can_use_it(
    browser: Browser,
    service: Service,
    make_file: MakeFile,
    tmp_path: Path,
    theme: str,
    language: str,
    size: dict[str, int],
) -> None:
    options: dict[str, Any] = {
        "viewport": size,
        "color_scheme": theme,
        "locale": language,
        "reduced_motion": "reduce",
    }
    window = open_window(browser, service.url, **options)
    name = f"{theme}-{language[:2]}-{'phone' if size is PHONE else 'desktop'}"
    busy(window, make_file, tmp_path / "notes.txt")
    window.screenshot(name)
    assert faults(window) == []
    too_wide = window.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not too_wide
    window.page.locator("#files .delete").first.click()
    window.screenshot(f"{name}-dialog", full_page=False)
    assert faults(window) == []
    window.context.close()


def test_the_language_is_the_browsers_and_can_be_changed(browser: Browser, service: Service) -> None:
    window = open_window(browser, service.url, locale="zh-CN")
    page = window.page
    expect(page.get_by_role("button", name="选择文件", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.locator("#language").select_option("en")
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    window.context.close()


def test_files_can_be_found_opened_and_deleted(
    window: Window, service: Service, make_file: MakeFile, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("hello")
    window.choose(notes, make_file("data.bin", 1000))
    names = window.page.locator("#files .name")
    expect(names).to_have_count(2)
    window.page.get_by_role("searchbox").fill("NOTES")
    expect(names).to_have_text(["notes.txt"])
    href = window.page.get_by_role("link", name="Open: notes.txt").get_attribute("href")
    assert httpx.get(str(href)).headers["content-disposition"].startswith("inline")
    window.page.get_by_role("button", name="Delete: notes.txt").click()
    window.page.keyboard.press("Escape")
    expect(names).to_have_count(1)
    window.page.get_by_role("button", name="Delete: notes.txt").click()
    window.say_yes()
    expect(window.page.locator("#files-note")).to_have_text("No file has that in its name.")
    assert [file["filename"] for file in httpx.get(f"{service.url}/files").json()["items"]] == ["data.bin"]


def test_the_list_of_files_comes_in_pages(window: Window, service: Service) -> None:
    for number in range(30):
        upload = httpx.post(f"{service.url}/uploads", json={"filename": f"{number}.bin", "size": 0}).json()
        httpx.post(f"{service.url}/uploads/{upload['id']}/merge").raise_for_status()
    window.reload()
    expect(window.page.locator("#files .file")).to_have_count(25)
    window.page.get_by_role("button", name="Show more").click()
    expect(window.page.locator("#files .file")).to_have_count(30)
    expect(window.page.locator("#more")).to_be_hidden()


def test_a_link_can_be_copied(window: Window, service: Service, make_file: MakeFile) -> None:
    window.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.choose(make_file("data.bin", 1000))
    window.page.get_by_role("button", name="Copy link: data.bin").click()
    expect(window.page.locator("#live")).to_have_text("Link copied")
    link = window.page.evaluate("navigator.clipboard.readText()")
    assert httpx.get(link).headers["content-length"] == "1000"


def test_a_refusal_is_told_in_the_servers_words(window: Window, make_file: MakeFile) -> None:
    problem = {
        "type": "urn:partway:insufficient-storage",
        "title": "Full",
        "status": 507,
        "detail": "The disk is full.",
    }
    answer = {"status": 507, "body": json.dumps(problem), "content_type": "application/problem+json"}
    window.page.route("**/uploads", lambda route: route.fulfill(**answer))
    window.choose(make_file("data.bin", 1000))
    status = window.row("data.bin").locator(".status")
    expect(status).to_have_text("Stopped: The disk is full. Delete files there, then try again.")
    window.page.unroute("**/uploads")
    window.page.get_by_role("button", name="Retry failed").click()
    window.finished("data.bin")


def test_it_can_be_used_with_the_keyboard_alone(window: Window, make_file: MakeFile) -> None:
    window.network(1_000_000)
    window.choose(make_file("big.bin"))
    window.begun("big.bin")
    pause = window.row("big.bin").get_by_role("button", name="Pause")
    window.page.locator("#choose-folder").focus()
    for _ in range(6):
        if pause.evaluate("(button) => button === document.activeElement"):
            break
        window.page.keyboard.press("Tab")
    window.page.keyboard.press("Enter")
    expect(window.row("big.bin")).to_have_attribute("data-state", "paused")
    expect(window.row("big.bin").get_by_role("button", name="Resume")).to_be_focused()


def test_where_the_page_may_not_hash_it_says_so_and_uploads(
    browser: Browser, service: Service, make_file: MakeFile
) -> None:
    no_crypto = (
        "Object.defineProperty(crypto, 'subtle', {value: undefined}); delete window.showOpenFilePicker;"
    )
    window = open_window(browser, service.url, script=no_crypto)
    expect(window.page.locator("#insecure")).to_be_visible()
    window.choose(make_file("data.bin", 400_000))
    window.finished("data.bin")
    window.context.close()


@pytest.mark.parametrize("path", ["/", "/web/uploader.js", "/web/style.css"])
def test_its_files_are_cached_by_etag_and_under_a_strict_policy(service: Service, path: str) -> None:
    answer = httpx.get(service.url + path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-cache"
    again = httpx.get(service.url + path, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_nothing_foreign_and_nothing_inline_is_in_the_page(service: Service) -> None:
    html = httpx.get(f"{service.url}/").text
    assert "//" not in html.replace("</", "")
    assert re.findall(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", html) == []


def test_the_uploader_is_usable_on_its_own(window: Window, service: Service) -> None:
    module = json.dumps(f"{service.url}/web/uploader.js")
    size = window.page.evaluate(
        f"""async () => {{
          const {{ Api, Uploader }} = await import({module});
          const file = new File(["alone"], "alone.txt");
          const uploader = new Uploader(file, {{ api: new Api(location.origin + "/") }});
          await new Promise((done) => {{
            uploader.addEventListener("state", () => uploader.state === "done" && done());
            uploader.start();
          }});
          return uploader.published.size;
        }}"""
    )
    assert size == 5


def test_both_languages_say_everything() -> None:
    web = files("client_demo").joinpath("web")
    keys = [
        set(re.findall(r'^  "?([\w.-]+)"?:', web.joinpath(f"messages-{code}.js").read_text(), re.MULTILINE))
        for code in ("en", "zh")
    ]
    assert len(keys[0]) > 80
    assert keys[0] == keys[1]
