from dataclasses import replace

import numpy as np
import pytest

from posology.domain.profile import Profile
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import Study
from tests.builders.small_cohorts import STUDY

PROFILE = Profile(("SEX//male",), np.zeros(1, np.float32), np.ones(1, np.float32))


def test_a_dataclass_is_the_same_after_a_round_trip() -> None:
    assert deserialize(Study, serialize(STUDY, {}), {}) == STUDY


def test_arrays_are_stored_under_their_field_path() -> None:
    arrays: dict[str, np.ndarray] = {}
    data = serialize(PROFILE, arrays, "profile")
    assert {"profile.center", "profile.spread"} <= set(arrays)
    np.testing.assert_array_equal(deserialize(Profile, data, arrays).spread, PROFILE.spread)


def test_a_missing_field_takes_its_default() -> None:
    study = replace(STUDY, time_to_event=())
    data = serialize(study, {})
    assert isinstance(data, dict)
    del data["time_to_event"]
    assert deserialize(Study, data, {}) == study


def test_a_missing_required_field_and_an_unknown_field_are_errors() -> None:
    data = serialize(STUDY, {})
    assert isinstance(data, dict)
    with pytest.raises(ValueError, match="Study has the fields"):
        deserialize(Study, {**data, "colour": 1}, {})
    del data["name"]
    with pytest.raises(ValueError, match="Study has the fields"):
        deserialize(Study, data, {})


def test_old_field_names_are_translated() -> None:
    data = serialize(STUDY, {})
    assert isinstance(data, dict)
    data["label"] = data.pop("title")
    assert deserialize(Study, data, {}, {"Study": {"label": "title"}}) == STUDY
