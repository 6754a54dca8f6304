"""Errors as pages: what happened, and what to do. Who is not signed in is led to the sign-in."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from posology.language.catalogue import deferred, tr
from posology.service.pages.responses import frame_of, page_response, redirect
from posology.service.problems import Problem

_HEADINGS = {
    400: deferred("This cannot be used as it is"),
    403: deferred("This is not open to you"),
    404: deferred("There is nothing at this address"),
    405: deferred("This page cannot be sent that way"),
    409: deferred("This cannot be done now"),
    412: deferred("No answer for this patient"),
    408: deferred("That took too long to arrive"),
    413: deferred("That was too much"),
    422: deferred("This cannot be used as it is"),
    429: deferred("Too many questions wait"),
    503: deferred("No answer at the moment"),
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
        status=tr("Error {number}").format(number=problem.status),
        heading=tr(_HEADINGS.get(problem.status, _OTHER)),
        text=problem.message if problem.status != 500 else tr(_OURS),
        back="/",
        back_title=tr("To the start page"),
    )
    frame = frame_of(request, tr("Error: {page}").format(page=page.heading))
    return page_response("error.html.j2", frame, {"page": page}, problem.status)


_OTHER = deferred("Something went wrong")
_OURS = deferred(
    "The fault is ours; it is in the log. Nothing was recorded. Use the guideline meanwhile."
)
