"""What a worker sends back is the result that Python users get, to the last bit."""

import json
from pathlib import Path

import orjson
import pytest

from posology import artifact
from posology.errors import ArtifactError
from posology.service.work import Job, answer_job, unpack, unpack_json, unpack_result
from posology.workflows.recommend import recommend
from tests.builders.service import FORM


@pytest.mark.parametrize("form", [FORM, {"facts": {"sex": "female"}}])
def test_a_worker_answers_as_recommend_does(small_model: Path, form: dict) -> None:
    model = artifact.load(small_model)
    result = recommend(model, form)
    done = answer_job(Job(small_model, model.digest, form, None))
    assert orjson.loads(done.json) == json.loads(json.dumps(result.to_json()))
    assert unpack_result(done.stored, model).to_json() == result.to_json()
    assert unpack_json(done.stored) == json.loads(json.dumps(result.to_json()))
    assert unpack(done.given) == form
    assert (done.state, done.headline) == (
        result.recommendation.state,
        result.recommendation.headline,
    )


def test_a_folder_that_changed_while_it_is_served_is_refused(small_model: Path) -> None:
    with pytest.raises(ArtifactError, match="the folder of a served model must not change"):
        answer_job(Job(small_model, "f" * 64, FORM, None))
