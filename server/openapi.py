"""The OpenAPI 3.1 document of the API, made from the same rows as its routes."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.api.context import ID_PATTERN
from server.api.operations import Answer, Body, Operation
from server.api.schemas import ProblemBody
from server.problems import MEDIA_TYPE, PROBLEMS

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]

EVERYWHERE = ("internal-error", "storage-failure", "insufficient-storage")
"""Problems that any operation may have: even a look at an upload may have to finish its merge."""

_REF = "#/components/schemas/{model}"
_PATH_PARAMETERS: dict[str, Json] = {
    "id": {"schema": {"type": "string", "pattern": ID_PATTERN}},
    "n": {"schema": {"type": "integer", "minimum": 0, "maximum": 9999}},
    "name": {"schema": {"type": "string", "minLength": 1}},
}


def openapi(operations: Iterable[Operation]) -> Json:
    """The document."""
    operations = tuple(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Partway",
            "version": version("partway"),
            "description": "A resumable upload and download server.",
        },
        "paths": paths,
        "components": {"schemas": _schemas(operations)},
    }


def _operation(operation: Operation) -> Json:
    entry: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*_path_parameters(operation.path), *_parameters(operation)],
        "responses": _responses(operation),
    }
    if operation.body is not None:
        entry["requestBody"] = _request_body(operation.body)
    return entry


def _path_parameters(path: str) -> Iterable[Json]:
    for name, parameter in _PATH_PARAMETERS.items():
        if f"{{{name}}}" in path:
            yield {"name": name, "in": "path", "required": True, **parameter}


def _parameters(operation: Operation) -> Iterable[Json]:
    for parameter in operation.parameters:
        yield {
            "name": parameter.name,
            "in": parameter.place,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }


def _request_body(body: Body) -> Json:
    return {"required": True, "content": {body.media_type: {"schema": body.schema or _reference(body.model)}}}


def _responses(operation: Operation) -> Json:
    responses = {str(answer.status): _answer(answer) for answer in operation.answers}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*operation.problems, *EVERYWHERE)):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = _problem(codes, has_body=operation.method != "HEAD")
    return responses


def _answer(answer: Answer) -> Json:
    entry: Json = {"description": answer.description}
    if answer.headers:
        entry["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    if answer.model is not None:
        entry["content"] = {"application/json": {"schema": _reference(answer.model)}}
    elif answer.media_type is not None:
        entry["content"] = {answer.media_type: {}}
    return entry


def _problem(codes: list[str], *, has_body: bool) -> Json:
    entry: Json = {"description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes)}
    if has_body:
        entry["content"] = {MEDIA_TYPE: {"schema": _reference(ProblemBody)}}
    return entry


def _reference(model: type[BaseModel] | None) -> Json:
    return {} if model is None else {"$ref": _REF.format(model=model.__name__)}


def _schemas(operations: Iterable[Operation]) -> Json:
    given: list[type[BaseModel]] = [ProblemBody]
    taken: list[type[BaseModel]] = []
    for operation in operations:
        given += [answer.model for answer in operation.answers if answer.model is not None]
        if operation.body is not None and operation.body.model is not None:
            taken.append(operation.body.model)
    models = [*_in_mode("serialization", given), *_in_mode("validation", taken)]
    _, document = models_json_schema(models, ref_template=_REF)
    schemas: Json = document["$defs"]
    return schemas


def _in_mode(mode: Mode, models: Iterable[type[BaseModel]]) -> list[tuple[type[BaseModel], Mode]]:
    return [(model, mode) for model in dict.fromkeys(models)]
