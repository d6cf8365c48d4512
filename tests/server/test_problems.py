"""Every exception of the storage is a problem, with a status that fits, and no fault tells of our inside."""

import inspect
import types
import typing
from collections.abc import Iterator

import pytest
from starlette.requests import Request

from server.app import _answer_fault, _answer_storage_error
from server.problems import MEDIA_TYPE, PROBLEMS, Problem, problem_of
from storage import errors
from storage.errors import StorageError
from storage.model import ByteRange

SECRET = "/srv/secret/data"
"""Stands for paths, system messages and whatever else an exception may hold of our inside."""


def _tree(root: type[StorageError] = StorageError) -> Iterator[type[StorageError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _tree(kind)


KINDS = [kind for kind in _tree() if kind.__module__ == errors.__name__]
STATUSES = {
    errors.NoSuchUpload: 404,
    errors.NoSuchFile: 404,
    errors.NoSuchBlob: 500,
    errors.UploadMerged: 409,
    errors.UploadExpired: 410,
    errors.ChunkOutOfRange: 404,
    errors.InvalidChunkSize: 400,
    errors.TooLarge: 413,
    errors.LengthMismatch: 400,
    errors.DigestMismatch: 422,
    errors.RangeConflict: 409,
    errors.RangeLocked: 423,
    errors.RangeSuperseded: 423,
    errors.UploadLocked: 423,
    errors.MissingChunks: 409,
    errors.SizeUnknown: 400,
    errors.InsufficientStorage: 507,
    errors.StorageFailure: 500,
    errors.DataDirectoryError: 500,
}
FAULTS = [kind for kind in KINDS if STATUSES.get(kind, 500) >= 500]
_SAMPLES: dict[object, object] = {
    str: SECRET,
    int: 7,
    bytes: b"\x01" * 32,
    ByteRange: ByteRange(3, 5),
}


def _sample(annotation: object) -> object:
    """A value for a parameter of an exception."""
    if isinstance(annotation, types.UnionType):
        return _sample(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is not None:
        return (0, 1)
    return _SAMPLES[annotation]


def _instance(kind: type[StorageError]) -> StorageError:
    if "__init__" not in vars(kind):
        return kind(SECRET)
    return kind(*(_sample(parameter.annotation) for parameter in inspect.signature(kind).parameters.values()))


def test_the_table_of_this_test_has_the_whole_tree() -> None:
    assert set(KINDS) == set(STATUSES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_storage_is_a_problem(kind: type[StorageError]) -> None:
    problem = problem_of(_instance(kind))
    assert problem.type.status == STATUSES[kind]
    response = problem.response()
    assert response.status_code == STATUSES[kind]
    assert response.media_type == MEDIA_TYPE


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if STATUSES[kind] >= 500], ids=lambda kind: kind.__name__
)
def test_a_fault_of_ours_tells_nothing_of_our_inside(kind: type[StorageError]) -> None:
    body = problem_of(_instance(kind)).response().body
    assert SECRET.encode() not in bytes(body)
    assert kind.__name__.encode() not in bytes(body)


@pytest.mark.anyio
@pytest.mark.parametrize("answer", [_answer_fault, _answer_storage_error], ids=lambda answer: answer.__name__)
async def test_what_is_answered_after_an_exception_hides_it(answer: typing.Any) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
    response = await answer(request, errors.StorageFailure(SECRET, 5))
    assert response.status_code == 500
    assert SECRET.encode() not in response.body


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_code_is_made_for_a_urn(code: str) -> None:
    problem = PROBLEMS[code]
    assert problem.code == code
    assert problem.uri == f"urn:partway:{code}"
    assert 400 <= problem.status <= 599
    assert problem.title
    assert not problem.title.endswith(".")


@pytest.mark.parametrize("code", [code for code, kind in PROBLEMS.items() if kind.status in {423, 503}])
def test_a_problem_that_passes_is_not_to_be_stored(code: str) -> None:
    assert Problem(code, "x").response().headers["cache-control"] == "no-store"


@pytest.mark.parametrize("kind", [errors.RangeLocked, errors.RangeSuperseded, errors.UploadLocked])
def test_who_is_locked_out_is_told_when_to_come_again(kind: type[StorageError]) -> None:
    assert int(problem_of(_instance(kind)).response().headers["retry-after"]) > 0
