"""A FHIR server with the tester's patient, from which the service may fetch what is withheld."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from posology.conformance.calls.transcript import FhirRequest
from posology.errors import UserError
from posology.records.sources.fhir.search import Resource, answer_query


def answer_fhir(
    path: str, authorization: str, token: str, resources: list[Resource]
) -> tuple[int, Resource]:
    """Status and body of a GET below the server's base: 401 without the token, 404, or 200."""
    if authorization != f"Bearer {token}":
        return 401, _outcome("login")
    found = answer_query(path.lstrip("/"), resources)
    return (404, _outcome("not-found")) if found is None else (200, found)


@contextmanager
def fhir_server(
    address: str, token: str, resources: list[Resource]
) -> Generator[list[FhirRequest]]:
    """Serve the patient at this address while the block runs; yields the requests that came.

    Args:
        address: base URL, with a host and a port of this machine.
        token: the access token that every request must carry.
    """
    requests: list[FhirRequest] = []
    place = urlsplit(address)
    base = place.path.rstrip("/")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            path = self.path.removeprefix(base)
            requests.append(FhirRequest(path, authorization))
            status, body = answer_fhir(path, authorization, token, resources)
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the report names what was fetched."""

    try:
        server = ThreadingHTTPServer((place.hostname or "", place.port or 80), Handler)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--fhir-server {address}: cannot listen there ({error}); give an address of this "
            "machine with a free port, such as http://127.0.0.1:8095/fhir."
        ) from error
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield requests
    finally:
        server.shutdown()
        server.server_close()


def _outcome(code: str) -> Resource:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
