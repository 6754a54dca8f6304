"""The outermost middleware: an id, a language, a line of the log, a response for every request."""

import re
import secrets
import time
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posology.language.catalogue import in_language
from posology.language.choice import choose_language
from posology.service.deployment import Deployment
from posology.service.logs import describe_defect
from posology.service.problems import Problem, to_response
from posology.service.shadow.offering import after_response

_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""On every response that does not set them itself."""
_METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE")
_DEFECT = "This is a defect of the service. Its log has more under the id of the request."


@dataclass(slots=True)
class _Seen:
    """What was sent so far."""

    status: int = 0
    is_started: bool = False


class WatchRequests:
    """ASGI middleware: whatever happens inside, the caller gets a response and the log a line."""

    def __init__(self, app: ASGIApp, deployment: Deployment) -> None:
        self._app = app
        self._deployment = deployment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, seen = time.perf_counter(), _Seen()
        state = scope.setdefault("state", {})
        headers = Headers(scope=scope)
        state["request_id"] = _request_id(headers)
        state["refuse"] = _refuse

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status, seen.is_started = message["status"], True
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = state["request_id"]
                if self._deployment.is_ending:
                    headers["Connection"] = "close"
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        offered = self._deployment.settings.languages
        language = choose_language(headers.get("accept-language", ""), offered)
        with in_language(language), after_response():
            try:
                await self._app(scope, receive, watched)
            except Exception as error:  # noqa: BLE001  (counted as a defect, not hidden)
                self._deployment.metrics.defects.inc()
                self._deployment.log.error(
                    "defect", request=state["request_id"], **describe_defect(error)
                )
                if not seen.is_started:
                    await _refuse(scope, receive, watched, 500, "defect", _DEFECT)
            finally:
                self._record(scope, seen.status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        metrics = self._deployment.metrics
        method = scope["method"] if scope["method"] in _METHODS else "other"
        metrics.requests.labels(method, route, str(status)).inc()
        metrics.request_seconds.labels(route).observe(seconds)
        self._deployment.log.info(
            "request",
            request=scope["state"]["request_id"],
            method=method,
            route=route,
            status=status,
            ms=round(1000 * seconds, 1),
            **({"refused": scope["state"]["refused"]} if "refused" in scope["state"] else {}),
        )


def _request_id(headers: Headers) -> str:
    """The caller's id of the request where it is harmless; otherwise a new one."""
    given = headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


async def _refuse(
    scope: Scope, receive: Receive, send: Send, status: int, code: str, message: str
) -> None:
    """Answer with a problem, from within a middleware."""
    problem = Problem(status, code, message, scope["state"]["request_id"])
    await to_response(Request(scope), problem)(scope, receive, send)
