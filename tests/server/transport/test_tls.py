"""Over TLS the kernel cannot move plain bytes: the same server falls back to the portable path by itself."""

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from server.app import create_app
from server.cli import FAST_PATH
from server.settings import Settings
from tests.native_api import NativeApi, pattern

SIZE = 1 << 20


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that it signed itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "chain.pem", folder / "key.pem"
    subject = ["-subj", "/CN=partway.test", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*made, "-keyout", str(key), "-out", str(chain)], check=True, capture_output=True)
    return chain, key


@pytest.fixture(scope="module")
def url(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with our protocol class, over TLS."""
    chain, key = certificate
    app = create_app(Settings.model_validate({"data_dir": tmp_path_factory.mktemp("data") / "data"}))
    config = uvicorn.Config(
        app, port=0, http=FAST_PATH, ssl_certfile=str(chain), ssl_keyfile=str(key), log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield f"https://127.0.0.1:{_port(server)}"
    finally:
        server.should_exit = True
        thread.join()


def _port(server: uvicorn.Server) -> int:
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def test_a_whole_life_over_tls(url: str, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    with httpx.Client(base_url=url, verify=trusting, timeout=30) as http:
        data = pattern(SIZE)
        file = NativeApi(http).publish(data, chunk_size=SIZE // 4)
        assert http.get(file["url"]).content == data
        part = http.get(file["url"], headers={"Range": "bytes=1000-199999"})
        assert (part.status_code, part.content) == (206, data[1000:200000])
