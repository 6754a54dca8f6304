"""Errors as responses: one shape for programs, OperationOutcome where FHIR is spoken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from posology.errors import UserError
from posology.language.catalogue import deferred, tr
from posology.service.errors import ServiceError, StoreAwayError
from posology.service.logs import describe_defect
from posology.service.scrubbing import nearest_of_ours
from posology.service.validation_words import is_no_json, place_words, reason_words

FHIR_PATHS = ("/cds-services", "/fhir")
"""Where an error is an OperationOutcome."""
_FHIR_CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    409: "conflict",
    412: "required",
    413: "too-costly",
    415: "invalid",
    422: "processing",
    429: "throttled",
    503: "transient",
}
"""Issue types of FHIR R4 (http://hl7.org/fhir/issue-type)."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, as every response words it."""

    status: int
    code: str
    """For programs, such as `model_stopped`."""
    message: str
    """For people; names no patient."""
    request_id: str
    retry_after: int = 0
    """Seconds after which it may work; 0 if that is unknown."""
    problems: tuple[str, ...] = ()
    """One sentence for each field, where several are wrong."""


_NO_JSON = "The body was not sent as JSON; send it with the header Content-Type: application/json."
_STORE_AWAY = deferred(
    "The service's database does not answer, so nothing can be recorded and no answer is given. "
    "Try again in a moment."
)
_MOST_PLACES = 20
"""Wrong fields that one error names. Our choice."""
ErrorPage: TypeAlias = Callable[[Request, Problem], Response]


def add_problem_handlers(app: FastAPI) -> None:
    """Every error of the app becomes a Problem."""
    app.add_exception_handler(ServiceError, _of_service)
    app.add_exception_handler(UserError, _of_user)
    app.add_exception_handler(OperationalError, _of_store)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)


def to_response(request: Request, problem: Problem) -> Response:
    """The problem in the shape that the caller reads."""
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after else {}
    headers["Cache-Control"] = "no-store"
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if request.url.path.startswith(FHIR_PATHS):
        body, kind = to_operation_outcome(problem), "application/fhir+json"
        return Response(orjson.dumps(body), problem.status, headers, kind)
    page: ErrorPage | None = getattr(request.app.state, "error_page", None)
    if page is not None and "text/html" in request.headers.get("accept", ""):
        response = page(request, problem)
        response.headers.update(headers)
        return response
    error: dict[str, object] = {
        "code": problem.code,
        "message": problem.message,
        "request_id": problem.request_id,
    }
    if problem.problems:
        error["problems"] = problem.problems
    body = {"error": error}
    return Response(orjson.dumps(body), problem.status, headers, "application/json")


def to_operation_outcome(problem: Problem) -> dict[str, object]:
    """FHIR's resource for an error."""
    severity = "fatal" if problem.status == 500 else "error"
    issue = {
        "severity": severity,
        "code": _FHIR_CODES.get(problem.status, "exception"),
        "details": {"text": problem.message},
        "diagnostics": f"{problem.code}, request {problem.request_id}",
    }
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def request_id_of(request: Request) -> str:
    """Id of the request, which the log carries too."""
    return getattr(request.state, "request_id", "")


async def _of_service(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    problem = Problem(
        error.status,
        error.code,
        str(error),
        request_id_of(request),
        getattr(error, "retry_after", 0),
        getattr(error, "problems", ()),
    )
    return to_response(request, problem)


async def _of_user(request: Request, error: Exception) -> Response:
    """A UserError that no route turned into words without the patient's values."""
    del error
    message = tr("The request holds something that cannot be used.")
    return to_response(request, Problem(422, "unusable", message, request_id_of(request)))


async def _of_store(request: Request, error: Exception) -> Response:
    """The database is away, full or locked: what failed was not recorded, and may be tried again.

    The error's text holds the statement and its values; neither the answer nor the log has it.
    """
    log = request.app.state.deployment.log
    log.error("store_away", request=request_id_of(request), **describe_defect(error))
    return await _of_service(request, StoreAwayError(tr(_STORE_AWAY)))


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "bad_request")
    problem = Problem(error.status_code, code, _http_words(request, error), request_id_of(request))
    response = to_response(request, problem)
    response.headers.update(error.headers or {})
    return response


def _http_words(request: Request, error: HTTPException) -> str:
    """Starlette's "Not Found" and "Method Not Allowed" with what to do."""
    if error.status_code == 404 and error.detail == "Not Found":
        has_slash = len(request.url.path) > 1 and request.url.path.endswith("/")
        if has_slash:
            return tr("There is nothing at this address; take the slash off its end.")
        return tr("There is nothing at this address; /openapi.json lists the addresses.")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        text = tr("This address does not take {method}.")
        if allowed:
            text = tr("This address does not take {method}, but {allowed}.")
        return text.format(method=request.method, allowed=allowed)
    return str(error.detail)


def _sentence(item: dict[str, Any]) -> str:
    """The field and its mend; the name of a field that is like none of ours may be anything."""
    path, near = list(item["loc"]), ""
    if item["type"] == "extra_forbidden":
        near = nearest_of_ours(str(path[-1]))
        path[-1] = path[-1] if near else "[...]"
    reason = reason_words(item, near)
    return f"{place_words(path)}: {reason}{'' if reason.endswith('?') else '.'}"


async def _of_validation(request: Request, error: Exception) -> Response:
    """Names each field and what is wrong with it, never the value that was sent."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(is_no_json(item) for item in found):
        problem = Problem(415, "not_json", _NO_JSON, request_id_of(request))
        return to_response(request, problem)
    problems = tuple(_sentence(item) for item in found[:_MOST_PLACES])
    more = f" And {len(found) - _MOST_PLACES} more." if len(found) > _MOST_PLACES else ""
    message = f"The request does not fit. {' '.join(problems)}{more}"
    problem = Problem(422, "does_not_fit", message, request_id_of(request), problems=problems)
    return to_response(request, problem)
