"""What people sent is not run by browsers: types, dispositions and names of downloads."""

from urllib.parse import unquote

import pytest

from tests.native_api import NativeApi


@pytest.mark.parametrize(
    ("content_type", "inline"),
    [
        pytest.param("image/png", True, id="PNG"),
        pytest.param("IMAGE/PNG", True, id="PNG in capitals"),
        pytest.param("video/mp4", True, id="MP4"),
        pytest.param("text/plain; charset=utf-8", True, id="text"),
        pytest.param("text/html", False, id="HTML"),
        pytest.param("image/svg+xml", False, id="SVG"),
        pytest.param("application/pdf", False, id="PDF"),
        pytest.param("application/xhtml+xml", False, id="XHTML"),
        pytest.param("text/javascript", False, id="script"),
        pytest.param("text/css", False, id="style"),
        pytest.param("multipart/x-mixed-replace; boundary=x", False, id="replaced parts"),
        pytest.param("application/octet-stream", False, id="octets"),
    ],
)
def test_only_harmless_types_are_shown(api: NativeApi, content_type: str, *, inline: bool) -> None:
    file = api.publish(b"<script>alert(1)</script>", "a.html", content_type=content_type)
    saved = api.http.get(file["url"])
    shown = api.http.get(file["url"], params={"inline": "1"})
    assert saved.headers["content-disposition"].startswith("attachment;")
    assert shown.headers["content-disposition"].startswith("inline;" if inline else "attachment;")
    for response in (saved, shown):
        assert response.headers["content-type"] == content_type
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("value", ["0", "true", "", "1 "])
def test_inline_is_asked_for_with_1(api: NativeApi, value: str) -> None:
    file = api.publish(b"", content_type="image/png")
    response = api.http.get(file["url"], params={"inline": value})
    assert response.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("filename", "fallback", "extended"),
    [
        pytest.param("a.txt", "a.txt", "a.txt", id="plain"),
        pytest.param("é.txt", "e.txt", "é.txt", id="an accent"),
        pytest.param("写真.jpg", "__.jpg", "写真.jpg", id="no Latin letter"),
        pytest.param('a"b;c.txt', "a_b;c.txt", 'a"b;c.txt', id="a quote"),
        pytest.param("a%22.txt", "a_22.txt", "a%22.txt", id="a percent sign"),
        pytest.param("\u202egpj.exe", "gpj.exe", "gpj.exe", id="reordered"),
        pytest.param("...", "download", "download", id="dots"),
        pytest.param(" ", "download", "download", id="a space"),
    ],
)
def test_the_name_to_save_under(api: NativeApi, filename: str, fallback: str, extended: str) -> None:
    response = api.http.get(api.publish(b"", filename)["url"])
    value = response.headers["content-disposition"]
    assert value.isascii()
    assert f'filename="{fallback}"' in value
    assert unquote(value.partition("filename*=UTF-8''")[2]) == extended
