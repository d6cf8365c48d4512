"""Tells whether the installed uvicorn still has the inside that the fast path builds on."""

import inspect

from uvicorn.protocols.http import flow_control, httptools_impl

_PROTOCOL_METHODS = (
    "connection_made",
    "connection_lost",
    "data_received",
    "on_headers_complete",
    "on_body",
    "on_message_begin",
    "on_response_complete",
)
_PROTOCOL_PARAMETERS = ["config", "server_state", "app_state", "_loop"]
_PROTOCOL_STATE = ("app", "cycle", "flow", "headers", "loop", "parser", "scheme", "scope", "transport")
_CYCLE_STATE = (
    "body",
    "chunked_encoding",
    "disconnected",
    "expected_content_length",
    "flow",
    "keep_alive",
    "message_event",
    "more_body",
    "response_complete",
    "scope",
    "transport",
    "waiting_for_100_continue",
)


def misfits() -> list[str]:
    """What is not as the fast path needs it; nothing when it fits."""
    protocol, cycle = httptools_impl.HttpToolsProtocol, httptools_impl.RequestResponseCycle
    found = [f"{name} is gone" for name in _PROTOCOL_METHODS if not callable(getattr(protocol, name, None))]
    found += [f"{name} is gone" for name in ("send", "receive") if not callable(getattr(cycle, name, None))]
    if list(inspect.signature(protocol).parameters) != _PROTOCOL_PARAMETERS:
        found.append("the protocol's parameters have changed")
    found += _missing_state(protocol, _PROTOCOL_STATE) + _missing_state(cycle, _CYCLE_STATE)
    flow = ("pause_reading", "resume_reading", "drain")
    return found + [f"{name} is gone" for name in flow if not hasattr(flow_control.FlowControl, name)]


def _missing_state(kind: type, names: tuple[str, ...]) -> list[str]:
    """Names that the constructor does not set on the instance."""
    source = inspect.getsource(kind)
    return [f"{kind.__name__}.{name} is gone" for name in names if f"self.{name}" not in source]
