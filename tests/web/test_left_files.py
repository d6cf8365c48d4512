"""Files whose turn had not come when the page was left are not forgotten, and go on without doubles."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.service import Service
from tests.web.browser import Window
from tests.web.test_uploads import SLOW, MakeFile, content

COUNT = 6


@pytest.fixture
def left(window: Window, make_file: MakeFile) -> list[Path]:
    """Six files: three had begun when the page was left."""
    files = [make_file(f"{number}.bin", 2_000_000) for number in range(COUNT)]
    window.network(SLOW)
    window.choose(*files)
    for number in range(3):
        window.begun(f"{number}.bin")
    window.reload()
    window.network()
    return files


def _card(window: Window) -> Locator:
    return window.page.locator("#unfinished-list .card").filter(has_text="Not begun yet")


def _choose_again(window: Window, files: list[Path]) -> None:
    with window.page.expect_file_chooser() as chooser:
        _card(window).get_by_role("button", name="Choose again").click()
    chooser.value.set_files(files)


def test_chosen_again_all_of_them_go_on(window: Window, service: Service, left: list[Path]) -> None:
    expect(_card(window)).to_contain_text("Not begun yet: 3")
    expect(_card(window)).to_contain_text("3.bin, 4.bin, 5.bin")
    _choose_again(window, left)
    expect(window.page.locator('#transfers .card[data-state="done"]')).to_have_count(COUNT)
    expect(window.page.locator("#unfinished")).to_be_hidden()
    expect(window.page.locator("#files .file")).to_have_count(COUNT)
    for path in left:
        assert content(service, path.name) == path.read_bytes()


def test_what_was_not_waiting_is_not_sent(window: Window, make_file: MakeFile, left: list[Path]) -> None:
    _choose_again(window, [make_file("other.bin", 1000)])
    expect(window.page.locator("#notice")).to_contain_text("None of these files was waiting")
    expect(window.rows()).to_have_count(0)
    expect(_card(window)).to_be_visible()


def test_they_can_be_forgotten(window: Window, left: list[Path]) -> None:
    _card(window).get_by_role("button", name="Forget them").click()
    window.say_yes()
    expect(_card(window)).to_have_count(0)
    window.reload()
    expect(window.page.locator("#unfinished-list .card")).to_have_count(3)


def test_what_is_done_or_cancelled_is_not_waiting(window: Window, make_file: MakeFile) -> None:
    window.choose(make_file("done.bin", 1000))
    window.finished("done.bin")
    window.network(SLOW)
    window.choose(make_file("cancelled.bin"))
    window.begun("cancelled.bin")
    window.row("cancelled.bin").get_by_role("button", name=re.compile("^Cancel")).click()
    window.say_yes()
    expect(window.row("cancelled.bin")).to_have_count(0)
    window.reload()
    expect(window.page.locator("#unfinished")).to_be_hidden()
