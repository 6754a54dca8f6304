"""An ASGI application called in process, without the cost of a whole HTTP client."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx


@dataclass(frozen=True, slots=True)
class AsgiClient:
    """Sends requests to an application as httpx.AsyncClient.request does."""

    app: Any

    async def request(
        self, method: str, url: str, *, content: bytes | None, headers: dict[str, str]
    ) -> httpx.Response:
        """The application's reply; its exceptions come through."""
        parts = urlsplit(url)
        host = {"host": parts.netloc, "content-length": str(len(content or b""))} | headers
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode()) for k, v in host.items()],
            "server": (parts.hostname, parts.port or 80),
            "client": ("127.0.0.1", 50_000),
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content or b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)
