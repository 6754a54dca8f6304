"""People of one service: who is signed in, and the forms that come from their pages."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from posology.language.catalogue import tr
from posology.service.deployment import Deployment
from posology.service.errors import NotAllowedError, NotSignedInError
from posology.service.identity.callers import (
    ADMINISTRATOR,
    CLINICIAN,
    DATA_SCIENTIST,
    Caller,
    nobody,
)
from posology.service.identity.one_time_links import Invitation, OneTimeLinks
from posology.service.identity.openid import OpenId
from posology.service.identity.sessions import (
    SECONDS,
    Session,
    csrf_token,
    is_csrf_token,
    read_session,
    write_session,
)
from posology.service.store import Store
from posology.service.store.nonces import is_kept, save_nonce

NAME = "people"
"""Of this room among the deployment's extras."""
FIRST_ADMINISTRATOR = Invitation("local:administrator", "First administrator", (ADMINISTRATOR,))
DEMO_PERSON = Invitation("local:demo", "Dr A. Sample", (CLINICIAN, DATA_SCIENTIST, ADMINISTRATOR))


@dataclass(slots=True)
class People:
    """Sign-in of people."""

    key: bytes
    """Signs sessions."""
    is_https: bool
    """Whether browsers reach the service by https only."""
    links: OneTimeLinks
    store: Store
    """Knows of ended sessions and used links, also after a restart and for other services on the
    same database."""
    openid: OpenId | None = None
    signed_out: dict[str, int] = field(default_factory=dict)
    """Sessions that were ended before their time, and when that is."""
    now: Callable[[], float] = time.time

    @property
    def cookie(self) -> str:
        """Name of the cookie: browsers accept `__Host-` from this host by https alone."""
        return "__Host-posology" if self.is_https else "posology"

    def session(self, request: HTTPConnection) -> Session | None:
        """The session of a request."""
        found = read_session(request.cookies.get(self.cookie, ""), self.key, self.now())
        return None if found is None or found.id in self.signed_out else found

    def start(self, response: Response, session: Session) -> None:
        """Put the session into the browser."""
        value = write_session(session, self.key)
        response.set_cookie(
            self.cookie,
            value,
            max_age=SECONDS,
            path="/",
            secure=self.is_https,
            httponly=True,
            samesite="lax",
        )

    def end(self, response: Response, session: Session) -> None:
        """End the session, also for copies of its cookie."""
        now = int(self.now())
        self.signed_out = {k: until for k, until in self.signed_out.items() if until > now}
        self.signed_out[session.id] = session.until
        response.delete_cookie(
            self.cookie, path="/", secure=self.is_https, httponly=True, samesite="lax"
        )

    async def identify(self, request: Request) -> Caller | None:
        """The person who calls; the deployment's `identify_person`."""
        session = self.session(request)
        if session is None:
            return None
        if await self.store.read(is_kept, session_key(session)):
            self.signed_out[session.id] = session.until
            return None
        return Caller(session.subject, "person", session.roles, session.name)


def session_key(session: Session) -> str:
    """What is stored of a session that was ended: nothing by which it could be used."""
    return hashlib.sha256(f"session {session.id}".encode()).hexdigest()


async def end_session(deployment: Deployment, response: Response, session: Session) -> None:
    """End the session here, on every service of the database, and after a restart."""
    people = deployment.extra[NAME]
    assert isinstance(people, People)
    until, now = float(session.until), people.now()
    await deployment.store.write(save_nonce, session_key(session), until, now)
    people.end(response, session)


def add_people(deployment: Deployment) -> People:
    """Let people sign in to a deployment."""
    settings = deployment.settings
    openid = None
    if settings.openid is not None:
        openid = OpenId(settings.openid, f"{settings.url}/sign-in/callback")
    is_https = settings.url.startswith("https://")
    key, store = deployment.derive_key("session"), deployment.store
    links = OneTimeLinks(deployment.derive_key("one-time links"), store)
    people = People(key, is_https, links, store, openid)
    deployment.extra[NAME] = people
    if deployment.identify_person is nobody:
        deployment.identify_person = people.identify
    return people


def people_of(request: HTTPConnection) -> People:
    """The people of the request's service."""
    people = request.app.state.deployment.extra[NAME]
    assert isinstance(people, People)
    return people


def first_link(deployment: Deployment) -> str:
    """Address that signs in the first administrator, or the person of a demonstration, once."""
    people = deployment.extra[NAME]
    assert isinstance(people, People)
    who = DEMO_PERSON if deployment.settings.is_demo else FIRST_ADMINISTRATOR
    return f"{deployment.settings.url}/sign-in/link?token={people.links.make(who, people.now())}"


def session_of(request: HTTPConnection) -> Session:
    """The session of a request; NotSignedInError without one."""
    session = people_of(request).session(request)
    if session is None:
        raise NotSignedInError(tr("Sign in."))
    return session


def form_token(request: HTTPConnection) -> str:
    """What the forms of a page carry; empty where nobody is signed in."""
    people = people_of(request)
    session = people.session(request)
    return "" if session is None else csrf_token(session, people.key)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form; NotAllowedError if it does not come from a page of this session."""
    session = session_of(request)
    form = await request.form()
    fields = {key: value for key, value in form.items() if isinstance(value, str)}
    if not is_csrf_token(fields.pop("csrf", ""), session, people_of(request).key):
        raise NotAllowedError(
            tr("This form does not come from a page of your session. Open it again.")
        )
    return fields
