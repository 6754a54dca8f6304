"""MEDS events, and a study with harm budgets, of the world of benchmarks/budgets_world.py."""

import numpy as np
import pyarrow as pa

from benchmarks.budgets_world import OPTIONS, STATES, VISITS, World, draw_world
from tests.builders.two_drug_records import event_table

STUDY = f"""
format = 1
name = "insulin"
title = "Insulin doses"
purpose = "A simulated question with a harm that limits the dose."
limits = "None: it is made up."
[decision]
codes = ["STATE"]
which = "every"
{
    "".join(
        f'''[[treatments]]
name = "{option}"
title = "{option}"
codes = ["TREATMENT//{option}"]
'''
        for option in OPTIONS
    )
}
[given]
grace_days = 1
[outcome]
kind = "occurs"
codes = ["CONTROLLED"]
from_days = 100
within_days = 181
[follow_up]
ended_by = ["STUDY_END"]
[reward]
source = "made up"
discount = 1.0
[[budgets]]
name = "severe hypoglycaemia"
codes = ["HYPO"]
at_most = 0.15
per = "year"
within_days = 182
[profile]
families = ["STATE", "TREATMENT"]
[split]
train = 0.4
validation = 0.3
test = 0.3
salt = "insulin"
"""


def events(patients: int, seed: int) -> pa.Table:
    """Visits every 182 days, what was given a day later, hypoglycaemia and control before the next.

    A visit is one state code; control is a severity of at most 1 at the next visit.
    """
    world, rng, rows = draw_world(seed), np.random.default_rng([seed, 1]), []
    for subject in range(patients):
        state = int(rng.choice(STATES, p=world.start))
        for visit in range(VISITS):
            state, events_of_visit = _visit(world, state, rng)
            rows += [(subject, 182 * visit + day, code, None) for day, code in events_of_visit]
        rows.append((subject, 182 * VISITS, "STUDY_END", None))
    return event_table(*rows)


def _visit(
    world: World, state: int, rng: np.random.Generator
) -> tuple[int, list[tuple[float, str]]]:
    """The next state, and the visit's events as days after it with their codes."""
    option = int(rng.choice(len(OPTIONS), p=world.usual[state]))
    found = [(0.0, f"STATE//{state}"), (0.5, f"TREATMENT//{OPTIONS[option]}")]
    if rng.random() < world.harm[0, state, option]:
        found.append((60.0, "HYPO"))
    after = int(rng.choice(STATES, p=world.moves[state, option]))
    if after // 2 <= 1:
        found.append((181.0, "CONTROLLED"))
    return after, found
