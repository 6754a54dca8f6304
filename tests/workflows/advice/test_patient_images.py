"""The whole path of a picture: records, fit, a saved policy, and advice for one patient."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posology import artifact
from posology.artifact import Artifact
from posology.domain.cohort import TEST, select_split
from posology.domain.history import latest_value
from posology.domain.images import NO_IMAGE
from posology.errors import RecordError, UserError
from posology.learners.features.tabular import LAST_VALUE, FeatureSpec
from posology.simulators.lesion import PICTURE, draw_picture
from posology.workflows.advice.image_scores import with_image_scores
from posology.workflows.advice.patient_evidence import covariates
from posology.workflows.cohorts import read_cohort
from posology.workflows.fit import fit
from posology.workflows.patient import encode
from posology.workflows.recommend import recommend
from tests.builders.lesion_records import fit_lesion, lesion_cohort, lesion_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that learned from 60 patients with pictures."""
    folder = tmp_path_factory.mktemp("lesion")
    result = fit_lesion(folder)
    test = select_split(read_cohort(lesion_study(), folder / "events"), TEST)
    decisions = test.history, test.last_step, np.ones((len(test), 2), bool)
    before = result.policy.predict_effectiveness(*decisions)
    after = artifact.load(folder / "model").policy.predict_effectiveness(*decisions)
    np.testing.assert_array_equal(before, after)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> Artifact:
    return artifact.load(folder / "model")


def form(**picture: object) -> dict:
    event = {"code": PICTURE, "time": "2026-03-01", **picture}
    facts = {"SEX//F": "yes"}
    return {"decision": "2026-03-01", "facts": facts, "events": [event]}


def chances(model: Artifact, patient: Path | dict) -> np.ndarray:
    history, _ = encode(model, patient)
    now, both = history.step_offsets[1:2] - 1, np.ones((1, 2), bool)
    return model.policy.predict_effectiveness(history, now, both).mean(axis=2)[0]


def test_advice_reads_a_file_or_pixels(folder: Path, model: Artifact) -> None:
    array = draw_picture(True, np.random.default_rng(1))
    np.save(folder / "a.npy", array)
    Image.fromarray((array * 255).astype(np.uint8)).save(folder / "a.png")
    answers = []
    for name in ("a.npy", "a.png"):
        path = folder / "patient.json"
        path.write_text(json.dumps(form(image=name)))
        answers.append(chances(model, path))
    answers.append(chances(model, form(image=array.tolist())))
    assert recommend(model, path).recommendation.state == "too_few_alike"
    np.testing.assert_allclose(answers[0], answers[2])
    np.testing.assert_allclose(answers[0], answers[1], atol=0.02)
    other = chances(model, form(image=np.zeros((32, 32)).tolist()))
    assert not np.allclose(answers[0], other, atol=1e-4)


def test_the_study_of_effects_sees_what_the_network_reads(folder: Path, model: Artifact) -> None:
    cohort = read_cohort(lesion_study(), folder / "events")
    test = select_split(cohort, TEST)
    scored = with_image_scores(model.policy, test)
    both = np.ones((len(test), 2), bool)
    chance = model.policy.predict_effectiveness(test.history, test.last_step, both).mean(axis=2)
    codes = len(test.profile.codes)
    assert scored.profile.codes[codes:] == ("SCORE//NETWORK//excision",)
    assert scored.profile.name(codes) == "predicted effect of excision against cream"
    last = latest_value(scored.history, scored.last_step, frozenset([codes]))
    np.testing.assert_allclose(last, chance[:, 1] - chance[:, 0], atol=1e-6)
    ages = frozenset([cohort.profile.codes.index("AGE")])
    np.testing.assert_array_equal(
        latest_value(scored.history, scored.last_step, ages),
        latest_value(test.history, test.last_step, ages),
    )
    assert scored.history.images is not None
    shown = scored.history.images.row[scored.history.code == cohort.profile.codes.index(PICTURE)]
    assert (shown != NO_IMAGE).all()
    spec = FeatureSpec(np.array([codes], np.int32), np.array([LAST_VALUE], np.int8))
    rows = covariates(model, spec)(test.history, np.asarray(test.last_step))
    np.testing.assert_allclose(rows[:, 0], last, atol=1e-6)


def test_methods_without_pixels_refuse_such_a_study(tmp_path: Path) -> None:
    cohort, _ = lesion_cohort(tmp_path / "events", 20)
    with pytest.raises(UserError, match="--method boosting: reads no images, and study lesion has"):
        fit(cohort, "boosting")
    assert any("The pixels of images are read by the network" in text for text in cohort.warnings)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ({}, 'has no image, and the policy reads it. Give the patient as a form, with "image"'),
        ({"image": "a.png"}, "names a file, which is read beside a patient's file only"),
        ({"image": [[0.5, 0.5]]}, "has the shape 1 x 1 x 2; the policy learned from frames of 32"),
        ({"image": np.full((32, 32), 2.0).tolist()}, "has numbers outside 0 to 1"),
        ({"image": {"a": 1}}, "is neither a file nor lists of numbers"),
    ],
)
def test_what_is_no_image_is_an_error(model: Artifact, picture: dict, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        recommend(model, form(**picture))


def test_a_file_that_is_missing_is_an_error(folder: Path, model: Artifact) -> None:
    path = folder / "other.json"
    path.write_text(json.dumps(form(image="gone.png")))
    with pytest.raises(RecordError, match=r"event 1 \(IMAGE//XC//SKIN\): gone.png cannot be read"):
        recommend(model, path)


@pytest.mark.parametrize(
    ("stated", "exact"),
    [
        ("2026", "2026-01-30"),  # halfway from January to the decision
        ("2025", "2025-07-01"),
        (None, "2026-03-01"),  # taken as recorded at the decision
    ],
)
def test_each_event_shows_its_own_image_however_its_date_is_stated(
    model: Artifact, stated: str | None, exact: str
) -> None:
    dark, light = (np.full((32, 32), level).tolist() for level in (0.1, 0.9))
    other = {"code": PICTURE, "time": "2026-02-10", "image": light}

    def shown(time: str | None) -> list[float]:
        body = form(image=dark)
        body["events"] = [body["events"][0] | {"time": time}, other]
        history, _ = encode(model, body)
        assert history.images is not None
        rows = history.images.row[history.images.row != NO_IMAGE]
        return [float(history.images.frames[history.images.offsets[r]].max()) for r in rows]

    assert shown(stated) == shown(exact)
