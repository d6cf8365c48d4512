"""The bytes of files over HTTP: whole, in ranges, and under preconditions (RFC 9110)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import pytest

from tests.native_api import KIB, Json, NativeApi, byterange_parts, content_digest, pattern, sha256_hex

SIZE = 300 * KIB + 7
DATA = pattern(SIZE)
HUGE = "9" * 400
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Published:
    """A file that all tests of this module read."""

    file: Json
    http: httpx.Client

    @property
    def url(self) -> str:
        """Of its bytes."""
        return f"/files/{self.file['id']}/content"

    def get(self, headers: Headers = (), method: str = "GET") -> httpx.Response:
        """Its bytes, asked for with just these header lines."""
        return self.http.request(method, self.url, headers=[("Accept-Encoding", "identity"), *headers])


@pytest.fixture(scope="module")
def published(client: httpx.Client) -> Published:
    """A file of `DATA`, whose digest is known."""
    api = NativeApi(client)
    return Published(api.publish(DATA, "data.bin", chunk_size=512 * KIB, sha256=sha256_hex(DATA)), client)


@pytest.fixture(scope="module")
def empty(client: httpx.Client) -> Published:
    """A file without bytes."""
    return Published(NativeApi(client).publish(b""), client)


# --- The whole


def test_the_whole_file(published: Published) -> None:
    response = published.get()
    assert response.status_code == 200
    assert response.content == DATA
    assert response.headers["content-length"] == str(SIZE)
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["etag"] == published.file["etag"]
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["repr-digest"] == content_digest(DATA)
    assert "content-range" not in response.headers
    assert parsedate_to_datetime(response.headers["last-modified"]).tzinfo is not None


@pytest.mark.parametrize("name", ["data.bin", "anything", "%C3%BC%20x", "a/b/c", "..%2f..%2fx", "%00"])
def test_any_name_at_the_end_is_the_same_file(published: Published, name: str) -> None:
    response = published.http.get(f"{published.url}/{name}")
    assert (response.status_code, response.content) == (200, DATA)
    assert 'filename="data.bin"' in response.headers["content-disposition"]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="plain"),
        pytest.param([("Range", "bytes=0-9")], id="with Range"),
        pytest.param([("Range", f"bytes={HUGE}-")], id="with Range past the end"),
        pytest.param([("Range", "bytes=0-9"), ("If-Range", '"wrong"')], id="with If-Range"),
    ],
)
def test_head_is_get_of_the_whole_without_the_body(published: Published, headers: Headers) -> None:
    whole, answer = published.get(), published.get(headers, "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    unlike = {"date"}
    assert {name: value for name, value in answer.headers.items() if name not in unlike} == {
        name: value for name, value in whole.headers.items() if name not in unlike
    }


# --- One range


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [
        pytest.param("bytes=0-0", 0, 1, id="the first byte"),
        pytest.param("bytes=10-19", 10, 20, id="the middle"),
        pytest.param(f"bytes=0-{SIZE - 1}", 0, SIZE, id="all of it"),
        pytest.param(f"bytes={SIZE - 1}-{SIZE - 1}", SIZE - 1, SIZE, id="the last byte"),
        pytest.param("bytes=100-", 100, SIZE, id="open"),
        pytest.param("bytes=0-", 0, SIZE, id="open from the start"),
        pytest.param("bytes=-1", SIZE - 1, SIZE, id="suffix"),
        pytest.param(f"bytes=-{SIZE}", 0, SIZE, id="suffix of all"),
        pytest.param(f"bytes=-{SIZE + 1}", 0, SIZE, id="suffix of more"),
        pytest.param(f"bytes=-{HUGE}", 0, SIZE, id="suffix of absurdly more"),
        pytest.param(f"bytes=5-{HUGE}", 5, SIZE, id="absurd end"),
        pytest.param("bytes=00000000000000000000010-000000000000000000000019", 10, 20, id="leading zeros"),
        pytest.param("BYTES=10-19", 10, 20, id="unit in capitals"),
        pytest.param("bytes= 10-19", 10, 20, id="spaces"),
        pytest.param("bytes=,,10-19,,", 10, 20, id="empty elements"),
        pytest.param(f"bytes=10-19,{SIZE}-", 10, 20, id="the other unsatisfiable"),
        pytest.param("bytes=-0,10-19", 10, 20, id="an empty suffix beside it"),
    ],
)
def test_one_range(published: Published, value: str, start: int, stop: int) -> None:
    response = published.get([("Range", value)])
    assert response.status_code == 206
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"
    assert response.headers["content-length"] == str(stop - start)
    assert response.content == DATA[start:stop]


def test_a_206_carries_what_the_200_would(published: Published) -> None:
    whole, part = published.get(), published.get([("Range", "bytes=1-2")])
    own = {"date", "content-length", "content-range"}
    assert {name: value for name, value in part.headers.items() if name not in own} == {
        name: value for name, value in whole.headers.items() if name not in own
    }


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("bytes", id="unit alone"),
        pytest.param("bytes=", id="no range"),
        pytest.param("bytes=,", id="only a comma"),
        pytest.param("bytes=-", id="only a dash"),
        pytest.param("bytes=5", id="no dash"),
        pytest.param("bytes=5-2", id="backwards"),
        pytest.param("bytes=0-1,5-2", id="one of two backwards"),
        pytest.param("bytes=a-b", id="letters"),
        pytest.param("bytes=+1-2", id="a sign"),
        pytest.param("bytes=1_0-20", id="an underscore"),
        pytest.param("bytes=--1", id="two dashes"),
        pytest.param("bytes=1.5-2", id="a fraction"),
        pytest.param("bytes=0x0-0xf", id="hexadecimal"),
        pytest.param("bytes 0-1", id="no equals sign"),
        pytest.param("bytes =0-1", id="a space before the equals sign"),
        pytest.param("lines=0-1", id="another unit"),
        pytest.param("none", id="none"),
        pytest.param("bytes=0-0,10-20,15-25,18-30,19-40", id="three overlaps"),
        pytest.param("bytes=0-,0-,0-", id="more bytes than the file has"),
        pytest.param("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 202, 2)), id="101 ranges"),
        pytest.param("bytes=" + "0-0," * 2000, id="2000 ranges"),
        pytest.param("bytes=" + "9" * 7000, id="7000 digits"),
        pytest.param("bytes=" + "," * 7000, id="7000 commas"),
    ],
)
def test_a_range_that_is_ignored(published: Published, value: str) -> None:
    response = published.get([("Range", value)])
    assert (response.status_code, response.content) == (200, DATA)
    assert "content-range" not in response.headers


@pytest.mark.parametrize(
    "value",
    [
        f"bytes={SIZE}-",
        f"bytes={SIZE}-{SIZE + 1}",
        f"bytes={HUGE}-{HUGE}",
        f"bytes={HUGE}-",
        "bytes=-0",
        f"bytes={SIZE}-,-0",
    ],
)
def test_a_range_with_no_byte_of_the_file(published: Published, value: str) -> None:
    response = published.get([("Range", value)])
    assert (response.status_code, response.content) == (416, b"")
    assert response.headers["content-range"] == f"bytes */{SIZE}"
    assert response.headers["content-length"] == "0"
    assert "content-type" not in response.headers


# --- Several ranges


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        pytest.param("bytes=0-9,20-29", [(0, 10), (20, 30)], id="two"),
        pytest.param("bytes=20-29,0-9", [(20, 30), (0, 10)], id="in the order asked for"),
        pytest.param("bytes=0-0,-1", [(0, 1), (SIZE - 1, SIZE)], id="first and last byte"),
        pytest.param("bytes=0-9,10-19", [(0, 10), (10, 20)], id="touching, not merged"),
        pytest.param("bytes=0-9,5-14,8-20", [(0, 10), (5, 15), (8, 21)], id="two overlaps"),
        pytest.param(f"bytes=0-9,{SIZE}-,30-39", [(0, 10), (30, 40)], id="without the unsatisfiable"),
        pytest.param("bytes=0-99999, 100000-199999, 200000-", [(0, 100000), (100000, 200000), (200000, SIZE)],
                     id="the whole in parts"),
        pytest.param("bytes=" + ",".join(f"{n}-{n}" for n in range(0, 200, 2)),
                     [(n, n + 1) for n in range(0, 200, 2)], id="100"),
    ],
)  # fmt: skip
def test_several_ranges(published: Published, value: str, spans: list[tuple[int, int]]) -> None:
    response = published.get([("Range", value)])
    assert response.status_code == 206
    assert "content-range" not in response.headers
    assert '"' not in response.headers["content-type"]
    assert response.headers["content-length"] == str(len(response.content))
    parts = byterange_parts(response)
    assert [part.content_range for part in parts] == [
        f"bytes {start}-{stop - 1}/{SIZE}" for start, stop in spans
    ]
    assert [part.data for part in parts] == [DATA[start:stop] for start, stop in spans]
    assert {part.content_type for part in parts} == {"application/octet-stream"}


def test_lines_of_range_are_one_field(published: Published) -> None:
    response = published.get([("Range", "bytes=0-9"), ("Range", "20-29")])
    assert [part.data for part in byterange_parts(response)] == [DATA[:10], DATA[20:30]]


def test_two_whole_range_fields_are_no_range(published: Published) -> None:
    response = published.get([("Range", "bytes=0-9"), ("Range", "bytes=20-29")])
    assert (response.status_code, response.content) == (200, DATA)


def test_the_boundary_is_another_each_time(published: Published) -> None:
    types = {published.get([("Range", "bytes=0-1,4-5")]).headers["content-type"] for _ in range(3)}
    assert len(types) == 3


@pytest.mark.parametrize("value", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=5-", "bytes=0-1,3-4", "x"])
def test_an_empty_file_is_whole_whatever_the_range(empty: Published, value: str) -> None:
    response = empty.get([("Range", value)])
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "0"


# --- Preconditions (RFC 9110, 13.2.2)


THIS, OTHER, WEAK, LIST = "this", "other", "weak", "list"
BEFORE, SAME, AFTER = "before", "same", "after"
NONSENSE = "nonsense"


def _value(published: Published, name: str, meant: str) -> str:
    """What a symbol of the tables stands for: an entity tag or a date, seen from the file."""
    etag = published.file["etag"]
    tags: dict[str, str] = {
        THIS: etag,
        OTHER: '"other"',
        WEAK: f"W/{etag}",
        LIST: f'"x", {etag} ,W/"y"',
        "*": "*",
    }
    if meant in tags:
        return tags[meant]
    modified = parsedate_to_datetime(published.get(method="HEAD").headers["last-modified"])
    shifts = {BEFORE: -1, SAME: 0, AFTER: 1}
    if meant in shifts:
        return format_datetime(modified + timedelta(seconds=shifts[meant]), usegmt=True)
    return meant


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If-Match": THIS}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": LIST}, 200),
        ({"If-Match": OTHER}, 412),
        ({"If-Match": WEAK}, 412),
        ({"If-Unmodified-Since": SAME}, 200),
        ({"If-Unmodified-Since": AFTER}, 200),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": NONSENSE}, 200),
        ({"If-Match": THIS, "If-Unmodified-Since": BEFORE}, 200),
        ({"If-Match": OTHER, "If-Unmodified-Since": AFTER}, 412),
        ({"If-None-Match": THIS}, 304),
        ({"If-None-Match": WEAK}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": LIST}, 304),
        ({"If-None-Match": OTHER}, 200),
        ({"If-Modified-Since": SAME}, 304),
        ({"If-Modified-Since": AFTER}, 304),
        ({"If-Modified-Since": BEFORE}, 200),
        ({"If-Modified-Since": NONSENSE}, 200),
        ({"If-None-Match": OTHER, "If-Modified-Since": AFTER}, 200),
        ({"If-None-Match": THIS, "If-Modified-Since": BEFORE}, 304),
        ({"If-Match": OTHER, "If-None-Match": THIS}, 412),
        ({"If-Match": THIS, "If-None-Match": THIS}, 304),
        ({"If-Unmodified-Since": BEFORE, "If-None-Match": THIS}, 412),
        ({"If-Unmodified-Since": SAME, "If-Modified-Since": SAME}, 304),
        ({"If-Match": OTHER, "Range": "bytes=0-9"}, 412),
        ({"If-None-Match": THIS, "Range": "bytes=0-9"}, 304),
        ({"If-None-Match": THIS, "Range": f"bytes={SIZE}-"}, 304),
        ({"If-Range": OTHER}, 200),
    ],
    ids=lambda value: ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value,
)
def test_preconditions(published: Published, method: str, conditions: dict[str, str], status: int) -> None:
    headers = [(name, _value(published, name, meant)) for name, meant in conditions.items()]
    response = published.get(headers, method)
    assert response.status_code == status
    assert response.headers["etag"] == published.file["etag"]
    if method == "HEAD" or status == 304:
        assert response.content == b""
    elif status == 412:
        assert response.json()["type"] == "urn:partway:precondition-failed"
    else:
        assert response.content == DATA


def test_lines_of_if_none_match_are_one_field(published: Published) -> None:
    lines = [("If-None-Match", '"x"'), ("If-None-Match", published.file["etag"])]
    assert published.get(lines).status_code == 304


def test_a_304_has_the_validators_and_no_length(published: Published) -> None:
    whole, response = published.get(), published.get([("If-None-Match", "*")])
    for name in ("etag", "last-modified", "cache-control"):
        assert response.headers[name] == whole.headers[name]
    assert not {"content-length", "content-type", "content-range"} & set(response.headers)


@pytest.mark.parametrize(
    ("meant", "status"),
    [
        pytest.param(THIS, 206, id="this tag"),
        pytest.param(OTHER, 200, id="another tag"),
        pytest.param(WEAK, 200, id="a weak tag"),
        pytest.param(LIST, 200, id="a list of tags"),
        pytest.param("*", 200, id="a star"),
        pytest.param(SAME, 206, id="the exact date"),
        pytest.param(BEFORE, 200, id="an earlier date"),
        pytest.param(AFTER, 200, id="a later date"),
        pytest.param(NONSENSE, 200, id="nonsense"),
        pytest.param("", 200, id="nothing"),
    ],
)
def test_if_range(published: Published, meant: str, status: int) -> None:
    value = _value(published, "If-Range", meant)
    response = published.get([("Range", "bytes=10-19"), ("If-Range", value)])
    assert response.status_code == status
    assert response.content == (DATA[10:20] if status == 206 else DATA)


def test_an_unsatisfiable_range_of_another_version_is_the_whole(published: Published) -> None:
    response = published.get([("Range", f"bytes={SIZE}-"), ("If-Range", '"older"')])
    assert (response.status_code, response.content) == (200, DATA)
