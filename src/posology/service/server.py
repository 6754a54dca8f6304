"""uvicorn, set up for this service: one process that answers HTTP, workers that compute."""

import asyncio
import logging
import socket
import threading
import time
import webbrowser
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from posology.service.app import create_app
from posology.service.identity.one_time_links import MINUTES
from posology.service.identity.people import first_link
from posology.service.ranges import check_address
from posology.service.settings import Settings
from posology.service.upkeep import retention_notice

_GRACE = 30
"""Seconds that running requests get after a signal to end."""
_DRAIN = 2.0
"""Seconds after such a signal in which open connections may still send a request. Our choice."""
_LOOK = 0.02
"""Seconds between two looks at whether they are all closed."""
_CONNECTIONS = 512
"""Connections and requests at the same time; uvicorn refuses further ones with 503."""


def run_server(settings: Settings, opens_browser: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests are finished first."""
    check_address(settings.host, settings.port)
    app = create_app(settings)
    notice = retention_notice(app.state.deployment)

    def say_where() -> None:
        """Once it answers: whoever follows the link before meets a refusal."""
        print(f"posology serves at {settings.url}", flush=True)  # noqa: T201
        link = first_link(app.state.deployment)
        print(f"Sign in once, within {MINUTES} minutes: {link}", flush=True)  # noqa: T201
        if notice:
            print(notice, flush=True)  # noqa: T201
        if opens_browser:  # a browser of the terminal would hold up the service
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    make_server(app, settings, say_where).run()


def make_server(
    app: FastAPI, settings: Settings, when_started: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """The server of an app, which ends without losing a request.

    when_started: called once it takes connections.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,  # its lines hold addresses with queries
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE,
        log_config=None,
    )
    server = _DrainingServer(config)
    server.when_started = when_started
    return server


class _DrainingServer(uvicorn.Server):
    """uvicorn closes connections at once, also those on which a request is on its way.

    Here no new connection is taken first; each open one gets `Connection: close` with its next
    response, and is closed after _DRAIN seconds at the latest.
    """

    when_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, as uvicorn does, and say so."""
        await super().startup(sockets)
        if self.started:
            self.when_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, as uvicorn does once its connections are closed."""
        for server in self.servers:
            server.close()
        app: FastAPI = self.config.app  # ty: ignore[invalid-assignment]
        app.state.deployment.is_ending = True
        end = time.monotonic() + _DRAIN
        while self.server_state.connections and time.monotonic() < end and not self.force_exit:
            await asyncio.sleep(_LOOK)
        await super().shutdown(sockets)
