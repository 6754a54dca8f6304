"""A browser without JavaScript: it keeps cookies, follows redirects and sends forms."""

import asyncio
import json
import re
import zlib
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from posology.domain.serialization import serialize
from posology.service.identity.one_time_links import Invitation
from posology.service.identity.people import NAME, People
from posology.service.store import StoredAnswer, save_answer
from tests.builders.html import HtmlReader, read_html
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.service import FORM, deployment_of

HTML = {"accept": "text/html"}


@dataclass
class Browser:
    app: FastAPI
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    page: httpx.Response | None = None
    language: str = ""
    """What it asks for; empty: nothing."""

    def get(self, path: str) -> httpx.Response:
        return self._send("GET", path, {})

    def post(self, path: str, fields: dict[str, str]) -> httpx.Response:
        """Send a form of the page that is open, with its token."""
        return self._send("POST", path, {"csrf": self.token} | fields)

    @property
    def token(self) -> str:
        """What the forms of the page carry."""
        found = re.search(r'name="csrf" value="([^"]*)"', self.page.text if self.page else "")
        return found[1] if found else ""

    def leave(self, path: str) -> str:
        """Where a page leads to that is not ours."""
        self._send("GET", path, {}, follows=False)
        assert self.page is not None
        return self.page.headers["location"]

    @property
    def text(self) -> str:
        """What stands on the page."""
        assert self.page is not None
        return " ".join(" ".join(read_html(self.page.text).text).split())

    @property
    def reader(self) -> HtmlReader:
        assert self.page is not None
        return read_html(self.page.text)

    @property
    def links(self) -> list[str]:
        """Addresses of the page's links."""
        return [attrs["href"] for tag, attrs in self.reader.elements if tag == "a"]

    def _send(
        self, method: str, path: str, fields: dict[str, str], follows: bool = True
    ) -> httpx.Response:
        async def send() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app),
                base_url="http://127.0.0.1:8000",
                cookies=self.cookies,
                follow_redirects=follows,
            ) as http:
                headers = HTML | ({"accept-language": self.language} if self.language else {})
                response = await http.request(method, path, data=fields or None, headers=headers)
                self.cookies = http.cookies
                return response

        self.page = asyncio.run(send())
        return self.page


def people_in(app: FastAPI) -> People:
    """Sign-in of people, which the app uses from now on."""
    deployment = deployment_of(app)
    people = deployment.extra[NAME]
    assert isinstance(people, People)
    deployment.identify_person = people.identify
    return people


def signed_in(app: FastAPI, *roles: str, name: str = "Dr A. Sample", language: str = "") -> Browser:
    """A browser in which a person of these roles has signed in by a one-time link."""
    people = people_in(app)
    invitation = Invitation(f"local:{name}", name, roles)
    browser = Browser(app, language=language)
    browser.post("/sign-in/link", {"token": people.links.make(invitation, people.now())})
    return browser


def ask(
    app: FastAPI, patient_id: str = "MRN 4711", form: dict | None = None, language: str = ""
) -> str:
    """Id of a new answer for a patient, through the door for systems."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            body = {"form": form or FORM, "patient_id": patient_id}
            headers = {"accept-language": language} if language else {}
            return await http.post("/recommendations", json=body, headers=headers)

    return asyncio.run(send()).json()["id"]


def store_advice(app: FastAPI, state: str, patient: str = "", minute: int = 0) -> str:
    """Id of a stored answer that is made up."""
    digest = ADVICE_BY_STATE[state].model.digest
    stored = made_up_answer(state, f"2026-11-27T08:{minute:02d}:00.000000Z", patient, digest)
    asyncio.run(deployment_of(app).store.write(save_answer, stored))
    return stored.id


def made_up_answer(
    state: str, made_at: str, patient: str, digest: str, form: dict | None = None
) -> StoredAnswer:
    """An answer to be stored. form: facts, from which what-if starts."""
    advice = ADVICE_BY_STATE[state]
    return StoredAnswer(
        id=f"{state}-{made_at[5:19]}".replace(":", ""),
        made_at=made_at,
        model="warfarin",
        digest=digest,
        patient_key=patient,
        state=state,
        headline=advice.headline,
        asked_by="https://ehr.example",
        door="api",
        door_reference="",
        is_demo=False,
        milliseconds=12.0,
        body=pack({"recommendation": serialize(advice, {})}),
        given=pack(form) if form else None,
    )


def pack(body: object) -> bytes:
    """As the store keeps it."""
    return zlib.compress(json.dumps(body).encode())
