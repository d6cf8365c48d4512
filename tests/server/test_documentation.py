"""`docs/api.md` says what there is, all of it, and nothing else."""

import re
from pathlib import Path

import pytest

from server.api.operations import Operation
from server.app import operations
from server.page import page_routes
from server.problems import PROBLEMS

PAGE = Path(__file__, "../../../docs/api.md").resolve().read_text(encoding="utf-8")
OPERATION_ROWS = re.findall(r"^\| `([A-Z]+) (/\S*)` \|", PAGE, re.MULTILINE)
CODE_ROWS = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", PAGE, re.MULTILINE)
OPERATIONS = [(row.method, row.path) for row in operations()]
WEB_PAGE = ("GET", "/")


def _label(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_operation_has_a_row(method: str, path: str) -> None:
    assert (method, path) in OPERATION_ROWS


@pytest.mark.parametrize(("method", "path"), OPERATION_ROWS)
def test_a_row_has_an_operation(method: str, path: str) -> None:
    assert (method, path) in [*OPERATIONS, WEB_PAGE]


def test_the_web_page_is_where_it_is_said_to_be() -> None:
    assert {"/", "/web"} == {getattr(route, "path", None) for route in page_routes()}


@pytest.mark.parametrize("operation", operations(), ids=_label)
def test_a_row_names_every_success(operation: Operation) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith(f"| `{_label(operation)}` |"))
    assert {str(answer.status) for answer in operation.answers} <= set(re.findall(r"\d{3}", line))


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_has_a_row_with_its_status(code: str) -> None:
    assert (code, str(PROBLEMS[code].status)) in CODE_ROWS


def test_no_problem_is_described_that_does_not_exist() -> None:
    assert {code for code, _ in CODE_ROWS} == set(PROBLEMS)
    assert len(CODE_ROWS) == len(PROBLEMS)


def test_no_path_is_named_that_does_not_exist() -> None:
    known = {path for _, path in OPERATIONS} | {"/", "/web/"}
    named = set(re.findall(r"`(?:[A-Z]+ )?(/[^\s`]*)`", PAGE))
    assert named <= known


@pytest.mark.parametrize("operation", [row for row in operations() if row.parameters], ids=_label)
def test_every_parameter_is_named(operation: Operation) -> None:
    for parameter in operation.parameters:
        assert re.search(rf"`\??{parameter.name}\b", PAGE), parameter.name
