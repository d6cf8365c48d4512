"""The listening socket that `partway serve` opens before any worker starts."""

import socket

import pytest

from server.cli import _listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_connections_send_small_answers_at_once(host: str) -> None:
    with _listen(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
