"""Whether the process is up and can store; and what is answered where there is nothing, or no such method."""

import shutil
from pathlib import Path

import httpx
import pytest

from server.app import operations
from tests.native_api import assert_problem
from tests.transports import Serve

ROUTES: dict[str, set[str]] = {}
for _operation in operations():
    ROUTES.setdefault(_operation.path, set()).add(_operation.method)
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]


def _filled(path: str) -> str:
    return path.format(id="0" * 32, n=0, name="a.txt")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_healthy_server(client: httpx.Client, method: str, path: str) -> None:
    response = client.request(method, path)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.content == (b'{"status":"ok"}' if method == "GET" else b"")


def test_a_server_without_its_data_is_up_but_not_ready(serve: Serve, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with serve(data_dir) as server:
        shutil.rmtree(data_dir)
        response = httpx.get(f"{server.url}/readyz")
        assert_problem(response, 503, "not-ready")
        assert int(response.headers["retry-after"]) > 0
        assert str(tmp_path) not in response.text
        assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize("path", sorted(ROUTES))
def test_other_methods_are_answered_405_with_those_allowed(client: httpx.Client, path: str) -> None:
    allowed = ROUTES[path] | ({"HEAD"} if "GET" in ROUTES[path] else set())
    for method in METHODS:
        if method in allowed:
            continue
        response = client.request(method, _filled(path))
        assert response.status_code == 405
        if method != "HEAD":
            assert_problem(response, 405, "method-not-allowed")
        assert {name.strip() for name in response.headers["allow"].split(",")} == allowed


@pytest.mark.parametrize(
    "path",
    ["/upload", "/uploads/", "/files/", "/healthz/", "/files/x/y", "/web/../../etc/passwd", "/web/%2e%2e/x"],
)
def test_where_there_is_nothing(client: httpx.Client, path: str) -> None:
    response = client.get(path)
    assert_problem(response, 404, "not-found")


def test_the_page_is_there_under_headers_that_let_nothing_foreign_run(client: httpx.Client) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
