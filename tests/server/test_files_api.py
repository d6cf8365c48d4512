"""Files over HTTP: list, search, look at and delete them, also while somebody is reading."""

from datetime import datetime
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest

from tests.native_api import (
    MIB,
    SMALLEST_CHUNK,
    Json,
    NativeApi,
    assert_problem,
    content_digest,
    faulty_fields,
    pattern,
    sha256_hex,
)
from tests.raw_http import RawConnection, head
from tests.servers import RunningServer

FILE_MEMBERS = {
    "id",
    "filename",
    "size",
    "content_type",
    "sha256",
    "tree_digest",
    "etag",
    "metadata",
    "created_at",
    "url",
}
NO_IDS = ["0" * 32, "F" * 32, "0" * 31, "x", "%2e%2e", "%00", "%C3%BC"]


def _search(client: httpx.Client, text: str, **query: str | int) -> Json:
    page: Json = client.get("/files", params={"q": text, **query}).json()
    return page


def _names(page: Json) -> list[str]:
    return [file["filename"] for file in page["items"]]


def test_a_file_tells_all_about_itself(api: NativeApi) -> None:
    data = pattern(SMALLEST_CHUNK + 1)
    file = api.publish(
        data, "Bild 1.png", content_type="image/png", sha256=sha256_hex(data), metadata={"k": "v"}
    )
    shown = api.http.get(f"/files/{file['id']}")
    assert shown.status_code == 200
    assert shown.headers["cache-control"] == "no-store"
    assert shown.json() == file
    assert set(file) == FILE_MEMBERS
    assert datetime.fromisoformat(file["created_at"]).utcoffset() is not None
    assert (file["filename"], file["size"], file["content_type"]) == ("Bild 1.png", len(data), "image/png")
    assert (file["sha256"], file["metadata"]) == (sha256_hex(data), {"k": "v"})
    assert file["etag"] == api.content(file).headers["etag"]
    assert file["etag"].startswith('"')


def test_a_digest_that_nobody_named_is_null(api: NativeApi) -> None:
    assert api.publish(b"x")["sha256"] is None


def test_the_url_ends_with_the_name(api: NativeApi) -> None:
    name = "50% ?&#;é.tar.gz"
    file = api.publish(b"x", name)
    assert file["url"].startswith(f"/files/{file['id']}/content/")
    assert unquote(file["url"].rpartition("/")[2]) == name
    assert api.http.get(file["url"]).content == b"x"


@pytest.mark.parametrize("given", NO_IDS)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("GET", "/content/a.txt")]
)
def test_an_unknown_file(client: httpx.Client, method: str, path: str, given: str) -> None:
    assert_problem(client.request(method, f"/files/{given}{path}"), 404, "file-not-found")


def test_the_head_of_an_unknown_file_has_no_body(client: httpx.Client) -> None:
    response = client.head(f"/files/{NO_IDS[0]}/content")
    assert (response.status_code, response.content) == (404, b"")


def test_an_open_upload_is_no_file(api: NativeApi) -> None:
    upload = api.start(1)
    assert_problem(api.http.get(f"/files/{upload['id']}"), 404, "file-not-found")
    assert_problem(api.http.delete(f"/files/{upload['id']}"), 404, "file-not-found")


# --- Listing and searching


def test_files_are_listed_newest_first_page_by_page(api: NativeApi) -> None:
    mark = uuid4().hex
    names = [f"{mark}-{number}" for number in range(7)]
    for name in names:
        api.publish(b"", name)
    listed: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = _search(api.http, mark, limit=3, **cursor)
        assert all(set(file) == FILE_MEMBERS for file in page["items"])
        listed += _names(page)
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert listed == names[::-1]


def test_a_page_of_exactly_what_there_is_is_the_last(api: NativeApi) -> None:
    mark = uuid4().hex
    for number in range(2):
        api.publish(b"", f"{mark}-{number}")
    assert _search(api.http, mark, limit=2)["next_cursor"] is None
    assert _search(api.http, mark, limit=1)["next_cursor"] is not None


def test_a_cursor_outlives_the_file_it_names(api: NativeApi) -> None:
    mark = uuid4().hex
    files = [api.publish(b"", f"{mark}-{number}") for number in range(3)]
    first = _search(api.http, mark, limit=1)
    for file in files[1:]:
        assert api.http.delete(f"/files/{file['id']}").status_code == 204
    assert _names(_search(api.http, mark, cursor=first["next_cursor"])) == [f"{mark}-0"]


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        pytest.param("Report.PDF", "report.pdf", True, id="another case"),
        pytest.param("report.pdf", "PORT", True, id="the middle"),
        pytest.param("report.pdf", "reports", False, id="more than there is"),
        pytest.param("GRÖẞE.txt", "größe", True, id="a case beyond ASCII"),
        pytest.param("Straße", "STRASSE", True, id="one letter for two"),
        pytest.param("ΣΊΣΥΦΟΣ", "σίσυφος", True, id="final sigma"),
        pytest.param("100% sure", "100%", True, id="a percent sign"),
        pytest.param("100 sure", "100% sure", False, id="a percent sign is no wildcard"),
        pytest.param("a_b", "a_b", True, id="an underscore"),
        pytest.param("axb", "a_b", False, id="an underscore is no wildcard"),
        pytest.param("x'; DROP TABLE files --", "'; drop", True, id="SQL"),
        pytest.param("a*?[b]", "*?[", True, id="glob"),
        pytest.param("写真.jpg", "真", True, id="one character of a word"),
    ],
)
def test_a_search_finds_names_that_contain_the_text(
    api: NativeApi, name: str, wanted: str, *, found: bool
) -> None:
    file = api.publish(b"", name)
    hits = [hit["id"] for hit in _search(api.http, wanted)["items"]]
    assert (file["id"] in hits) is found


def test_a_search_without_text_finds_all(api: NativeApi) -> None:
    file = api.publish(b"")
    assert _search(api.http, "")["items"][0] == file


def test_a_search_for_nul_is_refused(client: httpx.Client) -> None:
    assert faulty_fields(client.get("/files?q=a%00b")) == ["q"]


def test_a_search_that_is_not_utf8_finds_nothing(client: httpx.Client) -> None:
    response = client.get("/files?q=%FF%FEnothing")
    assert (response.status_code, response.json()["items"]) == (200, [])


# --- Deleting


def test_a_deleted_file_is_gone(api: NativeApi) -> None:
    file = api.publish(b"data", uuid4().hex)
    response = api.http.delete(f"/files/{file['id']}")
    assert (response.status_code, response.content) == (204, b"")
    assert_problem(api.http.get(f"/files/{file['id']}"), 404, "file-not-found")
    assert_problem(api.content(file), 404, "file-not-found")
    assert_problem(api.http.delete(f"/files/{file['id']}"), 404, "file-not-found")
    assert_problem(api.http.get(f"/uploads/{file['id']}"), 404, "upload-not-found")
    assert _search(api.http, file["filename"])["items"] == []


def test_a_download_under_way_ends_whole_though_the_file_is_deleted(
    api: NativeApi, server: RunningServer
) -> None:
    data = pattern(24 * MIB)
    file = api.publish(data, chunk_size=8 * MIB)
    with RawConnection(server.port, receive_buffer=64 << 10) as reader:
        reader.send(head("GET", f"/files/{file['id']}/content", {"Connection": "close"}))
        status, headers = reader.response_head()
        assert (status, headers["content-length"]) == (200, str(len(data)))
        assert api.http.delete(f"/files/{file['id']}").status_code == 204
        assert_problem(api.content(file), 404, "file-not-found")
        received = reader.read()
    assert content_digest(received) == content_digest(data)
