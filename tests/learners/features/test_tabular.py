"""Flattening against a slow and obvious reference, and blind to the future."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.learners.features import tabular as module
from posology.learners.features.tabular import (
    COUNT,
    DAYS_SINCE,
    FEATURE_KINDS,
    LAST_VALUE,
    PRESENT,
    build_feature_spec,
    extract_features,
)
from tests.builders.small_cohorts import small_cohort


def _naive(cohort, spec):
    history, rows = cohort.history, []
    for last in cohort.last_step:
        subject = np.searchsorted(history.step_offsets, last, side="right") - 1
        row = []
        for code, kind in zip(spec.code, spec.kind, strict=True):
            seen = []  # (step, time, value)
            for step in range(history.step_offsets[subject], last + 1):
                for event in range(history.event_offsets[step], history.event_offsets[step + 1]):
                    if history.code[event] == code:
                        seen.append((step, history.time[step], float(history.value[event])))
            row.append(_said(kind, seen, history.time[last]))
        rows.append(row)
    return np.array(rows, dtype=np.float32)


def _said(kind, seen, now):
    numbers = [(s, t, v) for s, t, v in seen if not np.isnan(v)]
    if kind == PRESENT:
        return float(bool(seen))
    if kind == COUNT:
        return np.log1p(len(seen))
    if kind == LAST_VALUE:
        return np.mean([v for s, _, v in numbers if s == numbers[-1][0]]) if numbers else np.nan
    if kind == DAYS_SINCE:
        times = [t for _, t, _ in seen if not np.isnan(t)]
        return np.log1p(now - times[-1]) if times else np.nan
    dated = [(t, v) for _, t, v in numbers if not np.isnan(t)]
    if len({t for t, _ in dated}) < 2:
        return np.nan
    return np.polyfit(*zip(*dated, strict=True), 1)[0]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), block=st.sampled_from([1, 3, 4096]))
def test_equals_the_obvious_reference(seed, block):
    cohort = small_cohort(seed, 12, True)
    before = module.BLOCK_SIZE
    module.BLOCK_SIZE = block
    try:
        spec = build_feature_spec(cohort)
        X = extract_features(spec, cohort.history, cohort.last_step)
    finally:
        module.BLOCK_SIZE = before
    np.testing.assert_allclose(X, _naive(cohort, spec), rtol=2e-4, atol=1e-5)


def test_columns_say_only_what_there_is_to_say():
    cohort = small_cohort(0, 200, True)
    spec = build_feature_spec(cohort)
    said = {
        (cohort.profile.codes[c], FEATURE_KINDS[k])
        for c, k in zip(spec.code, spec.kind, strict=True)
    }
    assert said == {
        ("SEX//male", "present"),
        ("SIGNAL", "present"),
        ("SIGNAL", "last"),
        ("START", "present"),
        ("DRUG//a", "present"),
        ("DRUG//a", "count"),
        ("DRUG//a", "since"),
        ("LAB", "present"),
        ("LAB", "count"),
        ("LAB", "last"),
        ("LAB", "slope"),
        ("LAB", "since"),
    }


def test_prefixes_left_out_get_no_column():
    cohort = small_cohort(0, 50, True)
    spec = build_feature_spec(cohort, excluded_prefixes=("LAB", "DRUG"))
    assert {cohort.profile.codes[c] for c in spec.code} == {"SEX//male", "SIGNAL", "START"}


def test_the_order_within_a_step_changes_nothing():
    cohort = small_cohort(1, 60, True)
    history, rng = cohort.history, np.random.default_rng(0)
    order = np.concatenate(
        [
            rng.permutation(np.arange(a, b))
            for a, b in zip(history.event_offsets[:-1], history.event_offsets[1:], strict=True)
        ]
    )
    mixed = replace(history, code=history.code[order], value=history.value[order])
    spec = build_feature_spec(cohort)
    a, b = (extract_features(spec, h, cohort.last_step) for h in (history, mixed))
    np.testing.assert_array_equal(a, b)


def test_no_decisions_give_no_rows():
    cohort = small_cohort(0, 5, True)
    spec = build_feature_spec(cohort)
    none = np.zeros(0, np.int64)
    assert extract_features(spec, cohort.history, none).shape == (0, len(spec.code))
