"""The OpenAPI document: valid, complete, and true of the running server as far as schemathesis can tell."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.routing import Route

from server.api.operations import Operation
from server.app import create_app, operations
from server.openapi import EVERYWHERE, openapi
from server.problems import PROBLEMS
from server.settings import Settings
from tests.native_api import Json, NativeApi
from tests.servers import RunningServer
from tests.transports import Serve

EXAMPLES = 6
OPERATIONS = operations()
DOCUMENT: Json = openapi(OPERATIONS)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
REFUSED_WHATEVER_IT_SAYS = {"list_uploads", "list_files", "create_upload"}
"""Operations with a body or query that can be wrong; elsewhere a wrong value is another path or header."""


def _label(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


ASKED = [
    pytest.param(operation, mode, id=f"{_label(operation)} {mode.name.lower()}")
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.parameters or operation.body or "{" in operation.path
]
"""What takes nothing cannot be asked wrongly."""


def test_it_is_served_as_made(client: httpx.Client) -> None:
    response = client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_it_is_valid() -> None:
    """By the schema of the specification itself, which schemathesis carries."""
    schemathesis.openapi.from_dict(DOCUMENT).validate()


def test_it_has_every_route_of_the_application_and_no_other(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    routed = {
        (route.path.replace(":path}", "}"), method)
        for route in app.routes
        if isinstance(route, Route) and route.path != "/"
        for method in route.methods or ()
    }
    described = {(path, method.upper()) for path, entry in DOCUMENT["paths"].items() for method in entry}
    # Starlette answers HEAD wherever there is GET.
    assert described | {(path, "HEAD") for path, method in described if method == "GET"} == routed


@pytest.mark.parametrize("operation", OPERATIONS, ids=_label)
def test_every_problem_of_an_operation_is_among_its_answers(operation: Operation) -> None:
    entry = DOCUMENT["paths"][operation.path][operation.method.lower()]
    statuses = {PROBLEMS[code].status for code in (*operation.problems, *EVERYWHERE)}
    statuses |= {answer.status for answer in operation.answers}
    assert {int(status) for status in entry["responses"]} == statuses


def test_names_of_operations_are_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.fixture(scope="module")
def small_server(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that refuses a size before any disk could, whose room is luck."""
    with serve(tmp_path_factory.mktemp("small") / "data", "--max-file-size", "1MiB") as running:
        yield running


@pytest.fixture(scope="module")
def small_api(small_server: RunningServer) -> Iterator[NativeApi]:
    with httpx.Client(base_url=small_server.url, timeout=30) as http:
        yield NativeApi(http)


@pytest.fixture(scope="module")
def target(small_server: RunningServer) -> Any:
    """The server's own description, loaded by schemathesis."""
    config = SchemathesisConfig(seed=1)
    return schemathesis.openapi.from_url(f"{small_server.url}/openapi.json", config=config)


@pytest.mark.parametrize(("operation", "mode"), ASKED)
def test_generated_requests_are_answered_as_documented(
    target: Any,
    small_server: RunningServer,
    small_api: NativeApi,
    operation: Operation,
    mode: GenerationMode,
) -> None:
    known = small_api.publish(b"data") if operation.path.startswith("/files") else small_api.start(4)
    checks = list(CHECKS)
    if mode is GenerationMode.NEGATIVE and operation.name in REFUSED_WHATEVER_IT_SAYS:
        checks.append(negative_data_rejection)

    with requests.Session() as session:

        @settings(
            max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=target[operation.path][operation.method].as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            if mode is GenerationMode.POSITIVE and "id" in case.path_parameters:
                case.path_parameters["id"] = known["id"]
            response = case.call(base_url=small_server.url, session=session)
            case.validate_response(response, checks=checks)

        ask()
