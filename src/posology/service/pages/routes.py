"""All pages: their routes, the style sheet, and the pages of errors."""

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from posology.language.catalogue import tr
from posology.service.errors import NotFoundError
from posology.service.identity.people import add_people
from posology.service.pages import ask_views, patient_views, people_views, sign_in_views
from posology.service.pages.error_pages import error_page
from posology.service.pages.model import views as model_views
from posology.service.pages.monitoring import views as monitoring_views
from posology.service.pages.stylesheet import stylesheet, stylesheet_name
from posology.service.pages.worklist import views as worklist_views

router = APIRouter(include_in_schema=False)
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" '
    'rx="3" fill="#0f3a57"/><path d="M8 3l4.5 8h-9z" fill="#fff"/></svg>'
)
_YEAR = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """The style sheet and the icon: all that pages load."""
    if name == stylesheet_name():
        return Response(stylesheet(), headers=_YEAR, media_type="text/css")
    if name == "icon.svg":
        return Response(_ICON, headers=_YEAR, media_type="image/svg+xml")
    raise NotFoundError(tr("There is no such file."))


def add_pages(app: FastAPI) -> None:
    """Add the pages and the sign-in of people to an app."""
    add_people(app.state.deployment)
    app.state.error_page = error_page
    parts = (
        sign_in_views,
        worklist_views,
        ask_views,
        patient_views,
        model_views,
        monitoring_views,
        people_views,
    )
    for part in (router, *(views.router for views in parts)):
        app.include_router(part)
