"""Errors as pages: what happened, and what to do. Who is not signed in is led to the sign-in."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from posology.service.pages.responses import frame_of, page_response, redirect
from posology.service.problems import Problem

_HEADINGS = {
    400: "This cannot be used as it is",
    403: "This is not open to you",
    404: "There is nothing at this address",
    405: "This page cannot be sent that way",
    409: "This cannot be done now",
    412: "No answer for this patient",
    408: "That took too long to arrive",
    413: "That was too much",
    422: "This cannot be used as it is",
    429: "Too many questions wait",
    503: "No answer at the moment",
}


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The variables of the template."""

    status: str
    heading: str
    text: str
    back: str
    back_title: str


def error_page(request: Request, problem: Problem) -> Response:
    """The page of a problem."""
    if problem.status == 401:
        return redirect("/sign-in")
    page = ErrorPage(
        status=f"Error {problem.status}",
        heading=_HEADINGS.get(problem.status, "Something went wrong"),
        text=problem.message if problem.status != 500 else _OURS,
        back="/",
        back_title="To the start page",
    )
    frame = frame_of(request, f"Error: {page.heading}")
    return page_response("error.html.j2", frame, {"page": page}, problem.status)


_OURS = "The fault is ours; it is in the log. Nothing was recorded. Use the guideline meanwhile."
