"""Every page in Debian's Chromium: nothing sideways, no serious finding of axe, no CSP report.

With POSOLOGY_SCREENSHOTS=FOLDER the pictures of docs/service-pages.md are written there.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from posology import artifact
from posology.service.identity.callers import CLINICIAN
from posology.service.identity.people import DEMO_PERSON, first_link
from posology.service.settings import ModelSettings, Settings
from posology.service.store import save_answer
from posology.workflows.advice.keys import DOSE
from tests.builders.browser import CHROMIUM
from tests.builders.challengers import Aside
from tests.builders.model_evidence import ERRORS, as_json
from tests.builders.pages import made_up_answer, people_in
from tests.builders.sample_pages import fill
from tests.builders.service import deployment_of, running_app

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
_WATCH = """
window.reports = [];
addEventListener("securitypolicyviolation", e => reports.push(e.violatedDirective));
"""
_AXE = {"resultTypes": ["violations"]}
_SIDEWAYS = "() => document.documentElement.scrollWidth"


@pytest.fixture(scope="module")
def served(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    """The app, its address, and the answer with the fullest page."""
    import uvicorn

    folder = tmp_path_factory.mktemp("pages")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        models=(),
        port=port,
        allow_unsigned=True,
        is_demo=True,
        store_patient_ids=True,
        languages=("en", "de"),
    )
    loaded = artifact.load(small_model)
    kept = {**loaded.evidence, DOSE: as_json(ERRORS), "train": 4411}
    artifact.save(loaded.policy, loaded.study, kept, folder / "warfarin")
    other = folder / "challenger"
    artifact.save(loaded.policy, replace(loaded.study, title="Other"), kept, other)
    model = ModelSettings("warfarin", folder / "warfarin", challenger=other)
    settings = replace(settings, models=(model,))
    with running_app(folder / "warfarin", folder, settings) as app:
        deployment_of(app).shadow.aside = Aside()
        answer = fill(app)
        people_in(app)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            time.sleep(0.02)
        yield app, f"http://127.0.0.1:{port}", answer
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def paths(answer: str) -> dict[str, str]:
    return {
        "patient": f"/answers/{answer}",
        "decision": f"/answers/{answer}?choice=overridden",
        "worklist": "/",
        "model": "/model/warfarin",
        "monitoring": "/monitoring/warfarin",
        "ask": "/ask",
        "people": "/people",
        "stop": "/monitoring/warfarin/stop",
        "nothing": "/answers/nothing",
        "ehr": "/ehr",
        "ehr-patient": "/ehr/patients/demo-01",
    }


def test_every_page_fits_is_accessible_and_breaks_no_policy(served: tuple, chromium) -> None:
    from axe_playwright_python.sync_playwright import Axe

    app, address, answer = served
    axe = Axe().axe_script
    context = chromium.new_context(color_scheme="light", viewport={"width": 1280, "height": 900})
    context.add_init_script(_WATCH)
    page = context.new_page()
    for name, path in {"sign-in": "/sign-in", "link": "", **paths(answer)}.items():
        page.goto(first_link(deployment_of(app)) if name == "link" else address + path)
        _check(page, name, axe)
    page.locator("[name=entry]").first.check()
    page.get_by_role("button", name="Fire the hook").click()
    assert page.locator("h1").inner_text().startswith("The service sent 1 card")
    _check(page, "ehr-call", axe)
    page.get_by_role("button", name="Override the card").click()
    assert "Overridden: the service answered with status 200." in page.locator("main").inner_text()
    context.close()


def _check(page, name: str, axe: str) -> None:
    """The page that is open, at both widths and in both colour schemes."""
    found = []
    page.evaluate(axe)
    for width, scheme in ((1280, "light"), (390, "light"), (390, "dark"), (1280, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(_SIDEWAYS) <= width, (name, width)
        if (width, scheme) in ((1280, "light"), (390, "dark")):
            found += _serious(page.evaluate("o => axe.run(o)", _AXE))
            _shoot(page, f"{name}-{width}-{scheme}")
    assert found == [], name
    assert page.evaluate("() => window.reports") == [], name
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def _serious(response: dict) -> list[tuple[str, str]]:
    return [
        (finding["id"], node["html"][:120])
        for finding in response["violations"]
        if finding["impact"] in ("serious", "critical")
        for node in finding["nodes"]
    ]


def _shoot(page, name: str) -> None:
    """A small picture of the page's first screen, or of the form of the decision."""
    folder = os.environ.get("POSOLOGY_SCREENSHOTS")
    if not folder:
        return
    from PIL import Image

    file = Path(folder) / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    shown = page.locator("#decide") if name.startswith("decision") else page
    shown.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(96).save(file, optimize=True)


def test_the_flow_works_with_javascript_switched_off(served: tuple, chromium) -> None:
    app, address, answer = served
    people = people_in(app)
    who = replace(DEMO_PERSON, name="Dr B. Sample", roles=(CLINICIAN,))
    token = people.links.make(who, people.now())
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/sign-in/link?token={token}")
    page.goto(f"{address}/answers/{answer}")
    page.get_by_role("link", name="Override").click()
    page.get_by_role("button", name="Record decision").click()
    assert page.title().startswith("Error: ")
    assert page.get_by_role("alert").get_by_role("link", name="Choose the main reason").is_visible()
    page.locator("#option_overridden").select_option("medium")
    page.get_by_role("radio", name="Local guideline").locator("visible=true").check()
    assert page.locator("#option_modified").is_hidden()
    page.get_by_role("button", name="Record decision").click()
    state = page.get_by_role("complementary").inner_text()
    assert "Overridden by Dr B. Sample" in state
    page.locator("select[name=fact-0]").select_option("female")
    page.get_by_role("button", name="Show what changes").click()
    assert "Sex female (record: male)." in page.locator("#changed").inner_text()
    page.set_viewport_size({"width": 390, "height": 900})
    long = made_up_answer("better", "2026-11-27T08:59:00.000000Z", "W" * 150, "0" * 12)
    deployment_of(app).store.write_now(save_answer, long)
    page.goto(f"{address}/answers/{long.id}")
    box = page.locator(".banner b").bounding_box()
    assert box is not None
    assert box["width"] <= 390  # long names wrap
    page.goto(f"{address}/ehr")
    page.get_by_role("link", name="Ada Sample").click()
    page.locator("[name=entry]").first.check()
    page.get_by_role("button", name="Fire the hook").click()
    assert "What was exchanged" in page.locator("main").inner_text()
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{address}/sign-in"
    context.close()


_CUT = r"""() => {
  const cut = [], texts = document.createTreeWalker(document.querySelector("main"), 4);
  while (texts.nextNode()) {
    const node = texts.currentNode, range = document.createRange();
    for (const word of node.data.matchAll(/\p{L}+/gu)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1)
        cut.push(word[0]);
    }
  }
  return cut;
}"""
"""Words of the page that stand on two lines."""


def test_no_long_word_of_german_monitoring_is_cut(served: tuple, chromium) -> None:
    """Wechselwirkung once was, on a telephone."""
    app, address, _ = served
    context = chromium.new_context(locale="de-DE")
    page = context.new_page()
    people = people_in(app)
    page.goto(f"{address}/sign-in/link?token={people.links.make(DEMO_PERSON, people.now())}")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for action in ("", "/stop", "/roll-back", "/drop-challenger"):
            page.goto(f"{address}/monitoring/warfarin{action}")
            assert page.locator("html").get_attribute("lang") == "de"
            assert page.evaluate(_CUT) == [], (width, action)
            assert page.evaluate(_SIDEWAYS) <= width, (width, action)
    context.close()


def test_no_word_of_the_facts_of_a_model_is_broken(served: tuple, chromium) -> None:
    """Representativeness once was, on a telephone."""
    app, address, _ = served
    page = chromium.new_page(viewport={"width": 390, "height": 900})
    people = people_in(app)
    page.goto(f"{address}/sign-in/link?token={people.links.make(DEMO_PERSON, people.now())}")
    page.goto(f"{address}/model/warfarin")
    assert "representativeness" in page.inner_text("#facts")
    assert page.evaluate(_CUT) == []
    page.close()


_UNDER = """() => document.querySelector('.banner').getBoundingClientRect().bottom
- document.querySelector('#decide h2').getBoundingClientRect().top"""
"""Pixels of the section's heading that the patient's banner covers."""


def test_the_banner_does_not_cover_what_a_link_leads_to(served: tuple, chromium) -> None:
    app, address, answer = served
    context = chromium.new_context()
    page = context.new_page()
    people = people_in(app)
    page.goto(f"{address}/sign-in/link?token={people.links.make(DEMO_PERSON, people.now())}")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 700})
        page.goto(f"{address}/answers/{answer}?choice=overridden#decide")
        page.evaluate("() => document.querySelector('#decide').scrollIntoView()")
        assert page.evaluate("() => scrollY") > 700
        assert page.evaluate(_UNDER) <= 0, width
    context.close()
