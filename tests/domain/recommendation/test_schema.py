"""The schema that is published is that of the types, and every state's answer fits it."""

import json
from dataclasses import replace
from importlib.resources import files

import pytest

from posology.domain.recommendation.recommendation import NO_OPTION_BETTER, STATES
from posology.domain.recommendation.schema import recommendation_schema
from posology.workflows.recommend import RecommendResult
from tests.builders.planned import PLANS
from tests.builders.policies import iwpc_cohort
from tests.builders.recommendations import ADVICE_BY_STATE

PUBLISHED = files("posology.domain.recommendation") / "recommendation.schema.json"
KEYS = [
    "callouts",
    "certainty",
    "dose",
    "dose_evidence",
    "goal",
    "guideline",
    "headline",
    "is_ranked",
    "known",
    "lead",
    "missing",
    "model",
    "options",
    "plans",
    "reading",
    "reference",
    "safety",
    "state",
    "study_evidence",
    "time",
    "unit",
    "why",
]
OPTION_KEYS = [
    "choice_share",
    "difference",
    "dose",
    "harms",
    "name",
    "outcome",
    "remarks",
    "similar_patients",
    "standing",
    "title",
]


def test_the_published_file_is_that_of_the_types() -> None:
    text = json.dumps(recommendation_schema(), indent=1) + "\n"
    assert PUBLISHED.read_text(encoding="utf-8") == text, (
        "write json.dumps(recommendation_schema(), indent=1) to recommendation.schema.json, and "
        "say what changed in CHANGELOG.md"
    )


def test_the_names_of_the_keys_are_what_readers_of_the_json_rely_on() -> None:
    schema = recommendation_schema()
    assert sorted(schema["properties"]) == KEYS
    assert sorted(schema["$defs"]["OptionAdvice"]["properties"]) == OPTION_KEYS


@pytest.mark.parametrize("state", STATES)
def test_the_answer_of_every_state_fits_the_schema(state: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    result = RecommendResult(ADVICE_BY_STATE[state], iwpc_cohort().study, "0")
    body = json.loads(json.dumps(result.to_json(), allow_nan=False))
    jsonschema.validate(body, recommendation_schema())
    body["options"][0]["standing"] = "best"
    with pytest.raises(jsonschema.ValidationError, match="'best' is not one of"):
        jsonschema.validate(body, recommendation_schema())


def test_an_answer_with_plans_fits_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    advice = replace(ADVICE_BY_STATE[NO_OPTION_BETTER], plans=PLANS)
    body = RecommendResult(advice, iwpc_cohort().study, "0").to_json()
    jsonschema.validate(body, recommendation_schema())
    body["plans"]["courses"][0]["plan"] = "wait"
    with pytest.raises(jsonschema.ValidationError, match="'wait' is not one of"):
        jsonschema.validate(body, recommendation_schema())
