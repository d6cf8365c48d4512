"""Why a transfer stopped. One tree; each class carries the facts, its text is a sentence for a person."""

import re
from pathlib import Path

from client_demo.resources import Problem

# 501, 505 and 511 do not pass by waiting; after 507 somebody has to make room first.
_LASTING_SERVER_ERRORS = frozenset({501, 505, 507, 511})
_PASSING_CLIENT_ERRORS = frozenset({408, 423, 429})
# The chunk was damaged on the way: its bytes were hashed right before they were sent.
_PASSING_CODES = frozenset({"digest-mismatch"})


class TransferError(Exception):
    """A transfer that could not be finished. What was transferred is kept unless the class says otherwise.

    `passing`: whether the same request may well succeed a little later. `code`: a word for programs.
    """

    passing = False

    @property
    def code(self) -> str:
        """The class's name as `lower-case-words`; a refusal's is that of the server's problem."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()


class ServerRefused(TransferError):
    """The server answered with an error. `retry_after` is what it asked for, in seconds."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        self.problem = problem
        self.retry_after = retry_after
        self.passing = _is_passing(problem, retry_after)
        name = problem.title or problem.code or "error"
        super().__init__(f"The server refused ({problem.status} {name}). {problem.detail}".rstrip())

    @property
    def code(self) -> str:
        """The problem's code, such as `too-large`; `server-refused` if it has none."""
        return self.problem.code or super().code


def _is_passing(problem: Problem, retry_after: float | None) -> bool:
    if problem.status in _PASSING_CLIENT_ERRORS or problem.code in _PASSING_CODES:
        return True
    return problem.status >= 500 and (problem.status not in _LASTING_SERVER_ERRORS or retry_after is not None)


class ServerUnreachable(TransferError):
    """No answer after `attempts` tries in a row."""

    def __init__(self, reason: str, attempts: int) -> None:
        self.reason = reason
        self.attempts = attempts
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"No answer from the server after {tries}: {reason}.")


class UnexpectedAnswer(TransferError):
    """The other side does not speak the protocol: no Partway server, or something in between."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"The server's answer makes no sense: {what}.")


class SourceUnreadable(TransferError):
    """The file to send cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"Cannot read {path}: {reason}.")


class SourceChanged(TransferError):
    """The file to send is no longer the one the upload was started for. The upload is thrown away."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} changed while it was being sent. Run again to send it as it is now.")


class TargetExists(TransferError):
    """Something is already where the download, or its partial file, would go."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} exists already.")


class TargetBusy(TransferError):
    """Another process is downloading to the same place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is being written by another download.")


class TargetUnwritable(TransferError):
    """The download cannot be written: no such folder, no permission, disk full."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"Cannot write {path}: {reason}.")


class DamagedDownload(TransferError):
    """All bytes arrived, but they are not the file's. The partial file is removed."""

    def __init__(self, path: Path, expected: str, actual: str) -> None:
        self.path = path
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"{path} arrived damaged and was removed: its sha-256 is {actual}, should be {expected}."
        )


class DamagedUpload(TransferError):
    """All chunks arrived, but the file the server has is not the one whose SHA-256 was announced."""

    def __init__(self, path: Path, expected: str) -> None:
        self.path = path
        self.expected = expected
        super().__init__(f"{path} arrived damaged: its sha-256 should be {expected}. Send it with --restart.")


class NoDigest(TransferError):
    """The download cannot be verified: the server names no SHA-256 of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(f"The server names no sha-256 of {url}, so it cannot be verified.")


class StateUnwritable(TransferError):
    """The state folder cannot be written: no permission, disk full."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"Cannot write the state folder {path}: {reason}.")
