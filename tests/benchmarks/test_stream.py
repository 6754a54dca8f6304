"""The stream lets nobody learn from what is not complete yet, or from test patients."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.stream import FINETUNE, FROZEN, fit_month, monitor_rows, month_rows
from benchmarks.stream_world import (
    CHANGES,
    MONTHS,
    StreamWorld,
    best_value,
    draw_world,
    first_day,
    learnable,
    value_of,
)
from posology.domain.cohort import TEST
from posology.simulators.clinic.drift import NEW_OPTION

HOW = ("logistic", 0)


@pytest.fixture(scope="module")
def world() -> StreamWorld:
    return draw_world(700, 3)


def test_models_learn_from_complete_outcomes_of_other_patients(world: StreamWorld) -> None:
    cohort = learnable(world, 5)
    assert cohort.time is not None
    assert (cohort.time + cohort.study.outcome.within_days < first_day(5)).all()
    assert not (cohort.split == TEST).any()
    recent = learnable(world, 5, since=-1)
    assert 0 < len(recent) < len(cohort)


def test_a_frozen_model_never_advises_the_drug_that_came_later(world: StreamWorld) -> None:
    frozen = fit_month(world, 0, FROZEN, HOW)
    assert not frozen.options[NEW_OPTION]
    late = world.month >= CHANGES["new_drug"]
    alone = world.value.copy()
    alone[:, NEW_OPTION] = 1e6
    priced = replace(world, value=alone)
    assert value_of(priced, frozen, late)[0] <= 1.0


def test_values_lie_below_the_best(world: StreamWorld) -> None:
    rows = world.month >= 0
    frozen = fit_month(world, 0, FROZEN, HOW)
    value, error, n = value_of(world, frozen, rows)
    assert 0 < value < best_value(world, rows) < 1
    assert 0 < error < 0.1
    assert n == ((world.cohort.split == TEST) & rows).sum()
    found = month_rows(world, 2, FINETUNE, fit_month(world, 2, FINETUNE, HOW), frozen)
    assert {r["metric"] for r in found} == {"value", "forgetting"}


def test_monitors_run_beside(world: StreamWorld) -> None:
    rows = monitor_rows(world, fit_month(world, 0, FROZEN, HOW), 0)
    assert [r["month"] for r in rows] == list(range(MONTHS))
    assert not any(r["is_alarm"] for r in rows[: min(CHANGES.values())])
    assert np.isfinite([r["value"] for r in rows]).all()


def test_doses_as_given_earn_at_most_what_the_best_dose_does(world: StreamWorld) -> None:
    known = ~np.isnan(world.value).any(axis=1)
    assert (world.value_as_given <= world.value + 1e-12)[known].all()
    assert (world.value_as_given < world.value - 1e-3)[known].mean() > 0.3
