"""uvicorn, set up for this service: one process that answers HTTP, workers that compute."""

import logging
import threading
import webbrowser

import uvicorn

from posology.service.app import create_app
from posology.service.identity.one_time_links import MINUTES
from posology.service.identity.people import first_link
from posology.service.settings import Settings

_GRACE = 30
"""Seconds that running requests get after a signal to end."""
_CONNECTIONS = 512
"""Connections and requests at the same time; uvicorn refuses further ones with 503."""
_START = 2
"""Seconds after which a browser is opened."""


def run_server(settings: Settings, opens_browser: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C; running requests are finished first."""
    app = create_app(settings)
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
    print(f"posology serves at {settings.url}", flush=True)  # noqa: T201
    link = first_link(app.state.deployment)
    print(f"Sign in once, within {MINUTES} minutes: {link}", flush=True)  # noqa: T201
    if opens_browser:
        threading.Timer(_START, webbrowser.open, (link,)).start()
    uvicorn.Server(config).run()
