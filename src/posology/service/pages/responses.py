"""Pages as responses: their frame, and headers that let a browser load nothing but one style."""

import datetime
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from posology.language.catalogue import current_language, deferred, tr
from posology.report.patient.words import date_words
from posology.service.deployment import Deployment
from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST
from posology.service.identity.people import form_token, people_of
from posology.service.pages.environment import render
from posology.service.pages.frame import Frame, describe_answering, describe_unsigned

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors {ancestors}"
)
_LINKS = (
    ("worklist", "/", deferred("Worklist"), (CLINICIAN,)),
    ("model", "/model", deferred("Model"), (CLINICIAN, DATA_SCIENTIST, ADMINISTRATOR)),
    ("monitoring", "/monitoring", deferred("Monitoring"), (DATA_SCIENTIST, ADMINISTRATOR)),
    ("people", "/people", deferred("People"), (ADMINISTRATOR,)),
)
_RECORD_SYSTEM = ("ehr", "/ehr", deferred("Record system"), (CLINICIAN,))
"""Of demonstrations only."""


def frame_of(request: Request, title: str, here: str = "", print_file: str = "") -> Frame:
    """The frame of a page for the person who calls."""
    session = people_of(request).session(request)
    roles = () if session is None else session.roles
    deployment: Deployment = request.app.state.deployment
    is_demo = deployment.settings.is_demo
    answering = () if session is None else deployment.models.answering()
    every = (*_LINKS, _RECORD_SYSTEM) if is_demo else _LINKS
    links = tuple((n, a, tr(t)) for n, a, t, allowed in every if set(allowed) & set(roles))
    return Frame(
        title=title,
        language=current_language(),
        here=here,
        person="" if session is None else session.name,
        roles="" if session is None else session.role_names,
        links=links,
        csrf=form_token(request),
        is_demo=is_demo,
        is_embedded=session is not None and session.is_embedded,
        unsigned=describe_unsigned(answering),
        footer=describe_answering(answering),
        print_file=print_file,
    )


def page_response(
    template: str, frame: Frame, variables: Mapping[str, object], status: int = 200
) -> Response:
    """A page; nothing of it is kept by the browser."""
    html = render(template, {**variables, "frame": frame})
    return with_page_headers(HTMLResponse(html, status))


def with_page_headers(response: Response, ancestors: str = "'none'") -> Response:
    """The response with the headers of pages.

    Args:
        ancestors: which sites may show the page within theirs.
    """
    response.headers["Content-Security-Policy"] = POLICY.format(ancestors=ancestors)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response


def redirect(address: str) -> Response:
    """To a page, by GET."""
    return with_page_headers(RedirectResponse(address, status_code=303))


def local_time(iso: str) -> str:
    """A moment of the store in this machine's zone: `27-Nov-2026 08:40`."""
    moment = datetime.datetime.fromisoformat(iso).astimezone()
    return date_words(moment.replace(tzinfo=None, second=0, microsecond=0).isoformat())


def patient_name(deployment: Deployment, patient_key: str, answer: str) -> str:
    """How pages name a patient: the caller's id where it is stored, else a short mark."""
    if not patient_key:
        return tr("Patient of answer {answer}").format(answer=answer[:6])
    for patient in deployment.demo_patients:
        if deployment.patient_key(patient.id) == patient_key:
            return f"{patient.name} ({patient.id})"
    if deployment.settings.store_patient_ids:
        return patient_key
    return tr("Patient {mark}").format(mark=f"{patient_key[:4]}-{patient_key[4:8]}")
