"""The product's update in the stream sees no test patient, and nothing that comes later."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from benchmarks.stream_update import Stream, month_rows
from benchmarks.stream_world import draw_world_and_events, first_day, fit_policy, learnable
from posology.domain.cohort import TEST
from posology.simulators.clinic.drift import NEW_OPTION
from posology.workflows.fitting.learned_options import mark_unlearned


def test_events_of_a_month_are_of_the_past_and_of_patients_who_are_not_judged(tmp_path: Path):
    world, events = draw_world_and_events(300, 3)
    stream = Stream(world, events, tmp_path, ("logistic", 0), 6, 0.05)
    within = world.cohort.study.outcome.within_days
    assert stream.since(4) == first_day(-2) - within
    seen = stream.events_until(4)
    latest = np.datetime64(pc.max(seen["time"]).as_py())
    assert latest < np.datetime64(int(first_day(4)), "D")
    assert pc.sum(pc.is_null(seen["time"])).as_py() > 0
    cohort = world.cohort
    tested = set(cohort.history.subject_id[cohort.subject[cohort.split == TEST]].tolist())
    assert tested
    assert not tested & set(pc.unique(seen["subject_id"]).to_pylist())
    formulary = mark_unlearned(learnable(world, 0)).study.formulary
    assert formulary.names[NEW_OPTION] in formulary.unlearned
    frozen = fit_policy(learnable(world, 0), "logistic", 0)
    rows = month_rows(stream, 4, {"frozen": frozen}, frozen)
    by = {(r["model"], r["metric"]): r["value"] for r in rows}
    assert by["frozen", "gain_over_frozen"] == by["frozen", "forgetting"] == 0
    assert 0 < by["frozen", "value"] < by["best", "value"]
