"""A uvicorn whose inside has changed is noticed at the start; then the portable path serves."""

import logging

import pytest
from uvicorn.protocols.http import flow_control, httptools_impl

from server import cli
from server.settings import Settings
from server.transport import fitness


def test_the_pinned_uvicorn_fits() -> None:
    assert fitness.misfits() == []


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (httptools_impl.HttpToolsProtocol, "on_headers_complete"),
        (httptools_impl.HttpToolsProtocol, "on_body"),
        (httptools_impl.RequestResponseCycle, "receive"),
        (flow_control.FlowControl, "pause_reading"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_missing_method_is_noticed(place: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(place, name)
    assert fitness.misfits() == [f"{name} is gone"]


def test_other_parameters_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changed(httptools_impl.HttpToolsProtocol):
        def __init__(self, everything: object) -> None: ...

    monkeypatch.setattr(httptools_impl, "HttpToolsProtocol", Changed)
    assert "the protocol's parameters have changed" in fitness.misfits()


def test_state_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changed:
        def __init__(self) -> None:
            self.contents = b""

        async def receive(self) -> None: ...

        async def send(self) -> None: ...

    monkeypatch.setattr(httptools_impl, "RequestResponseCycle", Changed)
    assert "Changed.more_body is gone" in fitness.misfits()


def test_the_command_falls_back_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(httptools_impl.HttpToolsProtocol, "on_body")
    with caplog.at_level(logging.WARNING, "partway.server"):
        assert cli.http_protocol(Settings()) == cli.PORTABLE_PATH
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(("transport", "path"), [("fast", cli.FAST_PATH), ("portable", cli.PORTABLE_PATH)])
def test_the_setting_chooses(transport: str, path: str) -> None:
    assert cli.http_protocol(Settings(transport=transport)) == path
