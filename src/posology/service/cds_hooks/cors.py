"""Calls from pages in a browser (CORS): explicit origins only, and only of CDS Hooks."""

from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/cds-services"
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


class CdsHooksCors:
    """ASGI middleware: answers preflights and adds headers, for these origins and this path."""

    __slots__ = ("_app", "_origins")

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, as ASGI wants."""
        is_ours = scope["type"] == "http" and _is_below(scope["path"])
        headers = Headers(scope=scope) if is_ours else Headers()
        origin = headers.get("origin", "")
        if not is_ours or not origin:
            await self._app(scope, receive, send)
            return
        is_known = origin in self._origins
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            more = {"Access-Control-Allow-Origin": origin, **_PREFLIGHT} if is_known else {}
            response = Response(status_code=204 if is_known else 403, headers=more)
            response.headers["Vary"] = "Origin"
            await response(scope, receive, send)
            return

        async def send_with_origin(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                found.append("Vary", "Origin")
                if is_known:
                    found["Access-Control-Allow-Origin"] = origin
                    found["Access-Control-Expose-Headers"] = "Retry-After"
            await send(message)

        await self._app(scope, receive, send_with_origin)


def _is_below(path: str) -> bool:
    return path == PATH or path.startswith(f"{PATH}/")
