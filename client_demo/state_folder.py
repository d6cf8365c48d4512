"""What the command keeps between runs: which open upload belongs to which file, and spooled standard input.

Touches `$XDG_STATE_HOME/partway` only, `~/.local/state/partway` if that is not set. Losing it loses no bytes:
the fingerprint leads back to the same upload. Blocking; uploads call it in worker threads.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

from client_demo.atomic_files import write_whole
from client_demo.resources import ResourceId
from client_demo.transfer_errors import StateUnwritable


class RememberedUpload(BaseModel):
    """An upload that was begun. `chunk_size` is in bytes; `sha256` is the whole file's if it was named."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    server: str
    path: str
    size: int
    mtime_ns: int
    upload_id: ResourceId
    chunk_size: PositiveInt
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A file in one state, on its way to one server."""

    server: str
    path: Path
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """What its record is called."""
        facts = (self.server, os.fsencode(self.path).hex(), self.size, self.mtime_ns)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def remembering(self, upload_id: str, chunk_size: int, sha256: str | None) -> RememberedUpload:
        """Its record."""
        path = os.fsencode(self.path).decode(errors="replace")
        return RememberedUpload(
            server=self.server,
            path=path,
            size=self.size,
            mtime_ns=self.mtime_ns,
            upload_id=upload_id,
            chunk_size=chunk_size,
            sha256=sha256,
        )


class StateFolder:
    """One folder; made when something has to be written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_user(cls) -> Self:
        """The one the XDG base directory rules name. A relative $XDG_STATE_HOME does not count."""
        home = Path(os.environ.get("XDG_STATE_HOME", ""))
        return cls((home if home.is_absolute() else Path.home() / ".local" / "state") / "partway")

    def recall(self, key: SourceKey) -> RememberedUpload | None:
        """The upload begun for this file; None if there is none, or its record cannot be read."""
        try:
            return RememberedUpload.model_validate_json(self._record(key).read_bytes())
        except (OSError, ValidationError):
            return None

    def remember(self, key: SourceKey, upload_id: str, chunk_size: int, sha256: str | None) -> None:
        """Write down an upload that was begun. Raises `StateUnwritable`."""
        record = self._record(key)
        with _writing(self.path):
            record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(record, key.remembering(upload_id, chunk_size, sha256).model_dump_json().encode())

    def forget(self, key: SourceKey) -> None:
        """The upload is finished, or gone."""
        with suppress(OSError):
            self._record(key).unlink(missing_ok=True)

    @contextmanager
    def spool_file(self) -> Iterator[tuple[Path, int]]:
        """A new private file and a descriptor to write it, removed afterwards. Raises `StateUnwritable`.

        What killed runs left behind is removed too: only a live one holds the lock.
        """
        folder = self.path / "spool"
        with _writing(self.path):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.iterdir():
                _remove_unlocked(left)
            descriptor, name = tempfile.mkstemp(dir=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield Path(name), descriptor
        finally:
            Path(name).unlink(missing_ok=True)
            os.close(descriptor)

    def _record(self, key: SourceKey) -> Path:
        return self.path / "uploads" / f"{key.name}.json"


class RunState(StateFolder):
    """The state folder in a run of many uploads: what is finished is forgotten when all of it is.

    So a run that was cut off, and is run again, finds the files it has sent, and sends none of them twice.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._finished: list[SourceKey] = []

    def forget(self, key: SourceKey) -> None:
        self._finished.append(key)

    def forget_finished(self) -> None:
        """The run is over, and nothing of it is left to do."""
        for key in self._finished:
            super().forget(key)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateUnwritable(path, error.strerror or str(error)) from error


def _remove_unlocked(path: Path) -> None:
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
