"""The server at its end: no new connection, and open ones get one more answer."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from fastapi import FastAPI

from posology.errors import UserError
from posology.service import server as server_module
from posology.service.server import make_server, run_server
from posology.service.settings import Settings
from tests.builders.service import deployment_of


@pytest.fixture
def server(app: FastAPI) -> Iterator[uvicorn.Server]:
    """A server that runs in a thread."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = make_server(app, Settings((), port=port))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield server
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def wait_until(holds: object, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():  # ty: ignore[call-non-callable]
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_request_on_an_open_connection_is_answered_after_the_signal_to_end(
    server: uvicorn.Server, app: FastAPI
) -> None:
    port = server.config.port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/ready")
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("connection")) == (200, None)
    reply.read()
    server.should_exit = True  # what uvicorn does at SIGTERM
    wait_until(lambda: deployment_of(app).is_ending)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    connection.request("GET", "/health")
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("connection")) == (200, "close")
    reply.read()


def test_connections_that_stay_silent_do_not_hold_up_the_end(
    server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posology.service.server._DRAIN", 0.1)
    with socket.create_connection(("127.0.0.1", server.config.port), 5) as silent:
        silent.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        while b"ok" not in silent.recv(4096):
            pass
        server.should_exit = True
        with suppress(ConnectionResetError):
            assert silent.recv(4096) == b""


def test_where_it_serves_is_said_once_it_answers(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A browser that was opened before met a refused connection on a busy machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    opened: list[tuple[str, int]] = []
    made: list[uvicorn.Server] = []

    def browse(link: str) -> None:
        with socket.create_connection(("127.0.0.1", port), 5):
            opened.append((link, made[0].servers[0].sockets[0].getsockname()[1]))
        made[0].should_exit = True

    def make(*words: object) -> uvicorn.Server:
        assert "Sign in once" not in capsys.readouterr().out
        made.append(make_server(*words))  # ty: ignore[invalid-argument-type]
        return made[0]

    monkeypatch.setattr(server_module, "create_app", lambda _settings: app)
    monkeypatch.setattr(server_module, "make_server", make)
    monkeypatch.setattr("webbrowser.open", browse)
    run_server(Settings((), port=port), opens_browser=True)
    ((link, listening),) = opened
    assert listening == port
    assert f"Sign in once, within 15 minutes: {link}" in capsys.readouterr().out


def test_a_port_in_use_is_named_before_anything_is_loaded() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=rf"port {port} of 127.0.0.1: Address already in use"):
            run_server(Settings((), port=port))
