"""What stands around every page: which model answers, and whether it is signed."""

from dataclasses import replace

from fastapi import FastAPI

from posology.service.identity.callers import ADMINISTRATOR, CLINICIAN, DATA_SCIENTIST
from posology.service.pages.frame import describe_answering, describe_unsigned
from tests.builders.pages import Browser, signed_in, store_advice
from tests.builders.service import deployment_of

STRIP = "This model is not signed: warfarin. Nobody has vouched for it."


def test_every_page_says_which_model_answers_and_whether_it_is_signed(app: FastAPI) -> None:
    models = deployment_of(app).models
    answer = store_advice(app, "better")
    paths = ("/", f"/answers/{answer}", "/model", "/model/warfarin", "/monitoring", "/people")
    stranger = Browser(app)
    stranger.get("/sign-in")
    assert "warfarin" not in stranger.text
    browser = signed_in(app, CLINICIAN, DATA_SCIENTIST, ADMINISTRATOR)
    served = models.current["warfarin"]
    for signed_by, words in (("", "not signed"), ("pharmacy", "signed by pharmacy")):
        models.current["warfarin"] = replace(served, signed_by=signed_by)
        foot = f"Now answers: warfarin, version {served.digest[:12]}, {words}."
        for path in paths:
            assert browser.get(path).status_code == 200, path
            assert (STRIP in browser.text, foot in browser.text) == (not signed_by, True), path
    models.stopped["warfarin"] = "wrong doses"
    browser.get("/")
    assert "Now answers" not in browser.text


def test_several_models_that_are_not_signed_are_named_together(app: FastAPI) -> None:
    one = deployment_of(app).models.current["warfarin"]
    names = [replace(one, name=name, signed_by="") for name in ("a", "b", "c")]
    expected = "These models are not signed: a, b and c. Nobody has vouched for them."
    assert describe_unsigned(names) == expected
    assert describe_unsigned([]) == ""
    assert len(describe_answering(names)) == 3
