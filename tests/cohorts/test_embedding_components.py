from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.advice.form.blank import blank_form
from posology.advice.form.build import build_form
from posology.cohorts.build import build_cohort
from posology.cohorts.embedding_components import fit_components, project_vectors, reduce_embeddings
from posology.cohorts.events.stream import sort_events
from posology.cohorts.patient import encode_patient
from posology.cohorts.storage.folder import build_folder
from posology.domain.cohort import TRAIN
from posology.domain.history import latest_value
from posology.errors import RecordError
from tests.builders.two_drug_records import event_table, study


def vectors(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(40, 6)) * np.array([9.0, 5.0, 1.0, 0.5, 0.2, 0.1])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_components_depend_on_training_rows_only(seed: int) -> None:
    rows = vectors(seed)
    train = np.random.default_rng(seed + 1).random(40) < 0.7
    other = rows.copy()
    other[~train] = np.nan  # whatever stands in the other rows
    one, two = fit_components(rows, train, 3), fit_components(other, train, 3)
    np.testing.assert_array_equal(one.components, two.components)
    np.testing.assert_array_equal(one.center, two.center)
    np.testing.assert_array_equal(
        project_vectors(one, rows)[train], project_vectors(two, other)[train]
    )


def test_components_equal_scikit_learns_pca() -> None:
    from sklearn.decomposition import PCA

    rows, train = vectors(3), np.arange(40) < 30
    mine, theirs = fit_components(rows, train, 3), PCA(3).fit(rows[train])
    np.testing.assert_allclose(mine.share, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(
        np.abs(project_vectors(mine, rows)), np.abs(theirs.transform(rows)), atol=1e-9
    )


def test_all_components_lose_nothing_and_few_rows_limit_their_number() -> None:
    rows, train = vectors(4), np.ones(40, dtype=bool)
    whole = fit_components(rows, train, 99)
    back = project_vectors(whole, rows) @ whole.components + whole.center
    np.testing.assert_allclose(back, rows)
    assert fit_components(rows, np.arange(40) < 2, 5).components.shape == (2, 6)
    with pytest.raises(ValueError, match="need training rows, and finite numbers in them"):
        fit_components(rows, ~train, 2)


MODEL = "EMBEDDING//net@abc"
REDUCED = (
    'families = ["SEX", "LAB", "DRUG", "HARM", "NOTE"]',
    'families = ["SEX", "LAB", "DRUG", "HARM", "NOTE", "EMBEDDING"]\nembedding_components = 2',
)


def imaged(subject: int, vector: np.ndarray, later: float = 0.0) -> list:
    """A subject with a vector before the decision, and another one (`later` times it) after."""
    return [
        (subject, None, "SEX//female", None),
        (subject, -5, "LAB", 6.0),
        (subject, 0, "REVIEW", None),
        (subject, 0, "DRUG//A" if subject % 2 else "DRUG//B", 1.0),
        (subject, 20, "LAB", 4.0),
        *((subject, -3, f"{MODEL}//{i:04d}", float(v)) for i, v in enumerate(vector)),
        *((subject, 30, f"{MODEL}//{i:04d}", float(later * v)) for i, v in enumerate(vector)),
    ]


def test_components_are_fitted_on_what_training_decisions_can_see() -> None:
    told = vectors(5)
    asked = study(REDUCED)
    one = build_cohort(event_table(*(r for s, v in enumerate(told) for r in imaged(s, v))), asked)
    two = build_cohort(
        event_table(*(r for s, v in enumerate(told) for r in imaged(s, v, 50.0))), asked
    )
    train = np.isin(np.arange(40), one.history.subject_id[one.subject[one.split == TRAIN]])
    right = fit_components(told.astype(np.float32).astype(np.float64), train, 2, MODEL)
    np.testing.assert_allclose(one.profile.reductions[0].components, right.components)
    np.testing.assert_array_equal(
        one.profile.reductions[0].components, two.profile.reductions[0].components
    )
    assert [c for c in one.profile.codes if c.startswith("EMB")] == [f"{MODEL}//c1", f"{MODEL}//c2"]
    known = latest_value(one.history, one.last_step, one.profile.rows((f"{MODEL}//c1",)))
    of = one.history.subject_id[one.subject]
    np.testing.assert_allclose(known, project_vectors(right, told)[of, 0], rtol=1e-5)


def test_a_saved_profile_reduces_a_new_patients_vector(
    tmp_path: Path,
) -> None:
    told = vectors(6)
    events = event_table(*(r for s, v in enumerate(told) for r in imaged(s, v)))
    pq.write_table(events, tmp_path / "events.parquet")
    profile = build_folder(study(REDUCED), tmp_path / "events.parquet", tmp_path / "out").profile
    history, unmet = encode_patient(event_table(*imaged(99, told[3])), study(REDUCED), profile)
    assert not any(code.startswith("EMBEDDING") for code in unmet)
    row = profile.codes.index(f"{MODEL}//c2")
    right = project_vectors(profile.reductions[0], told[3:4])[0, 1]
    np.testing.assert_allclose(history.value[history.code == row][0], right, rtol=1e-5)
    form = blank_form(build_form(study(REDUCED), profile, None))
    assert f"A vector of {MODEL} is 6 rows of `events`" in form["how"][-1]
    assert not any(key.startswith("EMBEDDING") for key in form["facts"])


def test_two_views_are_averaged_and_an_incomplete_vector_is_an_error() -> None:
    told = vectors(7)
    fit = fit_components(told, np.ones(40, dtype=bool), 2, MODEL)
    twice = [
        row for v in told[:2] for row in imaged(1, v) if row[2].startswith("EMB") and row[1] < 0
    ]
    found = reduce_embeddings(sort_events(event_table(*twice)), (fit,))
    np.testing.assert_allclose(found.value, project_vectors(fit, told[:2]).mean(axis=0), rtol=1e-5)
    with pytest.raises(
        RecordError, match=r"a vector of EMBEDDING//net@abc holds 5 of its 6 numbers"
    ):
        reduce_embeddings(sort_events(event_table(*twice[1:6])), (fit,))
    longer = [*twice[:6], (1, -3, f"{MODEL}//0006", 1.0)]
    with pytest.raises(RecordError, match=r"//0006: vectors of EMBEDDING//net@abc have 6 numbers"):
        reduce_embeddings(sort_events(event_table(*longer)), (fit,))
