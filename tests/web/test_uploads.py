"""Uploads in the page: several at once, paused, reloaded, cut off, cancelled, known already."""

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.service import Service
from tests.waiting import wait_until
from tests.web.browser import Window, open_window

SLOW = 1_500_000
MakeFile = Callable[..., Path]
PICKERS = """
window.showOpenFilePicker = async () => {
  const folder = await navigator.storage.getDirectory();
  return [await folder.getFileHandle("kept.bin")];
};
"""
WRITE = """async ([name, size, fill]) => {
  const folder = await navigator.storage.getDirectory();
  const writer = await (await folder.getFileHandle(name, {create: true})).createWritable();
  await writer.write(new Uint8Array(size).fill(fill));
  await writer.close();
}"""
GIVE_FOLDER = """async (how) => {
  const file = (name) => new File([name], name, {lastModified: 1});
  const entry = (name, parent) => (
    {isDirectory: false, fullPath: `${parent}/${name}`, file: (done) => done(file(name))});
  const folder = (name, children) => ({isDirectory: true, fullPath: name, createReader: () => {
    const batches = [children, []];
    return {readEntries: (done) => done(batches.shift())};
  }});
  const more = folder("/album/more", [entry("b.txt", "/album/more")]);
  const tree = folder("/album", [entry("a.txt", "/album"), more]);
  const item = {kind: "file", webkitGetAsEntry: () => tree, getAsFile: () => null};
  const event = new Event(how, {cancelable: true});
  event.dataTransfer = event.clipboardData = {types: ["Files"], items: [item]};
  window.dispatchEvent(event);
}"""


def content(service: Service, name: str) -> bytes:
    """The bytes of the one file of this name on the server."""
    (file,) = httpx.get(f"{service.url}/files", params={"q": name}).json()["items"]
    return httpx.get(service.url + file["url"]).content


def open_uploads(service: Service) -> list[object]:
    items: list[object] = httpx.get(f"{service.url}/uploads").json()["items"]
    return items


def test_several_files_are_uploaded_whole(window: Window, service: Service, make_file: MakeFile) -> None:
    files = [make_file("one.bin"), make_file("two.bin", 700_001), make_file("empty.bin", 0)]
    window.choose(*files)
    for file in files:
        window.finished(file.name)
        expect(window.page.locator("#files .name", has_text=file.name)).to_be_visible()
        assert content(service, file.name) == file.read_bytes()
    expect(window.page.locator(".whole .percent")).to_have_text(re.compile(r"100\s%"))


def test_each_chunk_carries_its_digest(window: Window, make_file: MakeFile) -> None:
    digests: list[str | None] = []
    window.page.on(
        "request",
        lambda request: (
            digests.append(request.headers.get("content-digest")) if request.method == "PUT" else None
        ),
    )
    window.choose(make_file("one.bin", 600_000))
    window.finished("one.bin")
    assert len(digests) == 3
    assert all(digest and digest.startswith("sha-256=:") for digest in digests)


@pytest.mark.parametrize("how", ["drop", "paste", "choose"])
def test_the_files_of_a_folder_keep_their_paths(
    window: Window, service: Service, tmp_path: Path, how: str
) -> None:
    if how == "choose":
        (tmp_path / "album" / "more").mkdir(parents=True)
        (tmp_path / "album" / "a.txt").write_text("a")
        (tmp_path / "album" / "more" / "b.txt").write_text("b")
        window.page.locator("#folder-picker").set_input_files(tmp_path / "album")
    else:
        window.page.evaluate(GIVE_FOLDER, how)
    window.finished("album/a.txt")
    window.finished("album/more/b.txt")
    files = httpx.get(f"{service.url}/files").json()["items"]
    assert {file["metadata"]["path"] for file in files} == {"album/a.txt", "album/more/b.txt"}


def test_a_paused_upload_goes_on(window: Window, service: Service, make_file: MakeFile) -> None:
    file = make_file("big.bin")
    window.network(SLOW)
    window.choose(file)
    window.begun("big.bin")
    window.row("big.bin").get_by_role("button", name="Pause").click()
    expect(window.row("big.bin").locator(".status")).to_have_text(re.compile("^Paused"))
    window.network()
    window.row("big.bin").get_by_role("button", name="Resume").click()
    window.finished("big.bin")
    assert content(service, "big.bin") == file.read_bytes()


def test_all_uploads_pause_and_go_on_together(window: Window, make_file: MakeFile) -> None:
    window.network(SLOW)
    window.choose(*(make_file(f"{number}.bin", 2_000_000) for number in range(5)))
    window.begun("0.bin")
    window.page.get_by_role("button", name="Pause all").click()
    expect(window.page.locator('#transfers .card[data-state="paused"]')).to_have_count(5)
    window.network()
    window.page.get_by_role("button", name="Resume all").click()
    expect(window.page.locator('#transfers .card[data-state="done"]')).to_have_count(5)


@pytest.mark.parametrize("by_card", [True, False], ids=["by its card", "as any file is chosen"])
def test_after_a_reload_the_same_file_goes_on(
    window: Window, service: Service, make_file: MakeFile, by_card: bool
) -> None:
    file = make_file("big.bin")
    window.network(SLOW)
    window.choose(file)
    window.begun("big.bin")
    window.reload()
    card = window.page.locator("#unfinished-list .card")
    expect(card.locator(".status")).to_contain_text("are on the server")
    sent_before = len(window.sent_chunks())
    with service.held():
        if by_card:
            card.get_by_role("button", name="Choose file to go on: big.bin").click()
            window.page.locator("#again-picker").set_input_files(file)
        else:
            window.choose(file)
        # From the first moment on, when the server has answered nothing yet.
        expect(window.row("big.bin")).to_be_visible()
        expect(window.page.locator("#unfinished")).to_be_hidden()
    window.network()
    window.finished("big.bin")
    expect(window.page.locator("#unfinished")).to_be_hidden()
    assert content(service, "big.bin") == file.read_bytes()
    assert len(window.sent_chunks()) - sent_before < 12


def test_another_file_is_not_mixed_in(window: Window, service: Service, make_file: MakeFile) -> None:
    file, other = make_file("big.bin"), make_file("other.bin")
    window.network(SLOW)
    window.choose(file)
    window.begun("big.bin")
    window.reload()
    again = window.page.get_by_role("button", name="Choose file to go on: big.bin")
    again.click()
    window.page.locator("#again-picker").set_input_files(other)
    expect(window.page.locator("#notice")).to_contain_text("That is not “big.bin”")
    file.write_bytes(b"changed")
    again.click()
    window.page.locator("#again-picker").set_input_files(file)
    expect(window.page.locator("#notice")).to_contain_text("was changed since")
    expect(window.rows()).to_have_count(0)
    assert len(open_uploads(service)) == 1


def test_with_a_kept_handle_one_click_goes_on(browser: Browser, service: Service) -> None:
    window = open_window(browser, service.url, script=PICKERS)
    window.page.evaluate(WRITE, ["kept.bin", 3_000_000, 7])
    window.network(SLOW)
    window.page.get_by_role("button", name="Choose files").click()
    window.begun("kept.bin")
    window.reload()
    window.network()
    window.page.get_by_role("button", name="Go on: kept.bin").click()
    window.finished("kept.bin")
    assert content(service, "kept.bin") == bytes([7]) * 3_000_000
    window.context.close()


def test_a_file_changed_behind_its_handle_is_told(browser: Browser, service: Service) -> None:
    window = open_window(browser, service.url, script=PICKERS)
    window.page.evaluate(WRITE, ["kept.bin", 3_000_000, 7])
    window.network(SLOW)
    window.page.get_by_role("button", name="Choose files").click()
    window.begun("kept.bin")
    window.reload()
    window.page.evaluate(WRITE, ["kept.bin", 3_000_000, 8])
    window.page.get_by_role("button", name="Go on: kept.bin").click()
    expect(window.page.locator("#notice")).to_contain_text("was changed since")
    window.context.close()


def test_it_outlives_a_killed_server(window: Window, service: Service, make_file: MakeFile) -> None:
    file = make_file("big.bin")
    window.network(SLOW)
    window.choose(file)
    window.begun("big.bin")
    service.kill()
    expect(window.row("big.bin").locator(".status")).to_contain_text("No connection to the server")
    service.start()
    window.network()
    window.finished("big.bin")
    assert content(service, "big.bin") == file.read_bytes()


def test_it_waits_while_offline(window: Window, service: Service, make_file: MakeFile) -> None:
    file = make_file("big.bin")
    window.network(SLOW)
    window.choose(file)
    window.begun("big.bin")
    window.network(offline=True)
    expect(window.row("big.bin").locator(".status")).to_contain_text("No network")
    window.network()
    window.finished("big.bin")
    assert content(service, "big.bin") == file.read_bytes()


def test_cancelling_frees_the_server(window: Window, service: Service, make_file: MakeFile) -> None:
    window.network(SLOW)
    window.choose(make_file("big.bin"))
    window.begun("big.bin")
    window.row("big.bin").get_by_role("button", name="Cancel").click()
    window.say_yes()
    expect(window.rows()).to_have_count(0)
    wait_until(lambda: not open_uploads(service))
    assert not any((service.data_dir / "uploads").iterdir())


def test_all_can_be_cancelled_at_once(window: Window, service: Service, make_file: MakeFile) -> None:
    window.network(SLOW)
    window.choose(*(make_file(f"{number}.bin") for number in range(4)))
    window.begun("0.bin")
    window.page.get_by_role("button", name="Cancel all").click()
    window.say_yes()
    expect(window.page.locator("#uploads")).to_be_hidden()
    wait_until(lambda: not open_uploads(service))


def test_what_the_server_has_is_not_sent_again(window: Window, service: Service, make_file: MakeFile) -> None:
    file = make_file("first.bin")
    window.choose(file)
    window.finished("first.bin")
    sent = len(window.sent_chunks())
    copy = file.with_name("copy.bin")
    copy.write_bytes(file.read_bytes())
    window.choose(copy)
    expect(window.row("copy.bin").locator(".status")).to_contain_text("Already there")
    assert len(window.sent_chunks()) == sent
    assert content(service, "copy.bin") == file.read_bytes()


def test_a_file_of_the_same_size_is_sent(window: Window, service: Service, make_file: MakeFile) -> None:
    window.choose(make_file("first.bin", 500_000))
    window.finished("first.bin")
    other = make_file("other.bin", 500_000)
    window.choose(other)
    window.finished("other.bin")
    assert content(service, "other.bin") == other.read_bytes()


@pytest.mark.parametrize("query", ["size", "tree_digest"])
def test_a_server_without_instant_uploads_is_served_too(
    window: Window, service: Service, make_file: MakeFile, query: str
) -> None:
    window.choose(make_file("first.bin", 500_000))
    window.finished("first.bin")
    refused = {"status": 400, "json": {"type": "urn:partway:malformed-request", "title": "No", "status": 400}}
    if query == "size":
        window.page.route(re.compile(r"/files\?.*size="), lambda route: route.fulfill(**refused))
    else:
        window.page.route(
            "**/uploads",
            lambda route: (
                route.fulfill(**refused)
                if "tree_digest" in (route.request.post_data or "")
                else route.continue_()
            ),
        )
    other = make_file("other.bin", 500_000)
    window.choose(other)
    window.finished("other.bin")
    assert content(service, "other.bin") == other.read_bytes()


def test_ten_thousand_files_do_not_freeze_the_page(window: Window) -> None:
    window.page.route("**/uploads", lambda route: None)
    longest = window.page.evaluate(
        """async () => {
          const transfer = new DataTransfer();
          for (let i = 0; i < 10_000; i += 1) {
            transfer.items.add(new File(["x"], `file-${i}.txt`, {lastModified: i}));
          }
          const picker = document.getElementById("picker");
          picker.files = transfer.files;
          picker.dispatchEvent(new Event("change"));
          let longest = 0, before = performance.now();
          for (let frame = 0; frame < 40; frame += 1) {
            await new Promise(requestAnimationFrame);
            longest = Math.max(longest, performance.now() - before);
            before = performance.now();
            document.querySelector(".viewport").scrollTop += 5000;
          }
          return longest;
        }"""
    )
    # Generous, since machines are shared: a list with all rows in it takes many seconds.
    assert longest < 3000
    expect(window.page.locator(".whole .status")).to_contain_text("of 10000 files")
    assert window.rows().count() < 50
    window.page.locator(".viewport").evaluate("(viewport) => { viewport.scrollTop = viewport.scrollHeight; }")
    expect(window.row("file-9999.txt")).to_be_visible()
    expect(window.row("file-9999.txt")).to_have_attribute("aria-posinset", "10000")
