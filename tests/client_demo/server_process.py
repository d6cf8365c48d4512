"""The server a client is tested against: killed, started again on the same port and data, asked directly."""

from pathlib import Path

import httpx

from tests.servers import RunningServer, start_server


class ServerProcess:
    """One server on a free port of 127.0.0.1, which it keeps when it is started again."""

    def __init__(self, folder: Path) -> None:
        self._data_dir = folder / "data"
        self._running: RunningServer | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._port, "not started yet"
        return self._port

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and return once it can store."""
        self._running = start_server(self._data_dir, port=self._port)
        self._port = self._running.port

    def ensure_running(self) -> None:
        """Start unless it runs."""
        if self._running is None or self._running.process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        assert self._running is not None
        self._running.kill()

    def stop(self) -> None:
        """End it if it runs."""
        if self._running is not None and self._running.process.poll() is None:
            self._running.kill()

    def get(self, path: str) -> httpx.Response:
        """Ask the server directly, past any proxy."""
        return httpx.get(self.url + path, trust_env=False)

    def open_uploads(self) -> list[str]:
        """The ids of what is being received."""
        return [upload["id"] for upload in self.get("/uploads").raise_for_status().json()["items"]]

    def uploaded_chunks(self, upload_id: str) -> set[int]:
        """The chunks that arrived."""
        return set(self.get(f"/uploads/{upload_id}/chunks").raise_for_status().json()["uploaded"])

    def abort_uploads(self) -> None:
        """Throw away what an earlier test left unfinished."""
        for upload in self.open_uploads():
            httpx.delete(f"{self.url}/uploads/{upload}", trust_env=False).raise_for_status()
