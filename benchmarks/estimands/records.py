"""Courses as MEDS events, and the study file of a world: what the product is given."""

import datetime

import numpy as np
import pyarrow as pa

from benchmarks.estimands.courses import Courses, until
from benchmarks.estimands.worlds import World
from posology.cohorts.study.reader import parse_study
from posology.domain.study import Study
from posology.records.schema import EVENTS

ZERO = datetime.date(2010, 1, 1)
"""Day 0 of a world."""
_DAY_US, _MINUTE_US = 86_400_000_000, 60_000_000
_EPOCH_US = (ZERO - datetime.date(1970, 1, 1)).days * _DAY_US


def events_of(world: World, courses: Courses) -> pa.Table:
    """Everything recorded. Events go on to be recorded after a patient has left: they must not
    count. Treatment and visits do not."""
    c, s = courses, courses.state
    last = np.minimum(np.minimum(c.leave, c.death), until(world))
    first = np.append(True, c.patient[1:] != c.patient[:-1])
    never = np.full(len(c), np.nan)
    columns = [
        ("X//1", first, never, s.x1),
        ("X//2", first & (s.x2 > 0), never, never),
        ("REVIEW", c.zero < np.inf, c.zero, never),
        ("LAB//X3", c.zero < np.inf, c.zero, s.x3),
        ("MEDS_DEATH", c.death < np.inf, c.death, never),
        ("OBSERVATION_PERIOD//END", c.leave < np.inf, c.leave, never),
        ("STOP", c.stop < c.death, c.stop, never),
        ("HARM", c.harm < c.death, c.harm, never),
    ]
    if world.kind == "value_in_range":
        columns.append(("VALUE", c.comes & (c.measured < last), c.measured, c.value))
    else:
        columns.append(("EVENT", c.event < c.death, c.event, never))
    for k in range(world.options):
        columns.append((f"DRUG//{k}", (c.option == k) & (c.start < last), c.start, never))
    return _table(world, c.patient, columns)


def _table(
    world: World, patient: np.ndarray, columns: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]
) -> pa.Table:
    codes = pa.array([name for name, *_ in columns])
    rows = [np.flatnonzero(there & ~np.isinf(day)) for _, there, day, _ in columns]
    subject = np.concatenate([patient[r] for r in rows]) + 1
    day = np.concatenate([column[2][r] for column, r in zip(columns, rows, strict=True)])
    value = np.concatenate([column[3][r] for column, r in zip(columns, rows, strict=True)])
    code = np.repeat(np.arange(len(columns)), [len(r) for r in rows]).astype(np.int32)
    unit = _DAY_US if world.resolution == "day" else _MINUTE_US
    static = np.isnan(day)
    micro = np.floor(np.nan_to_num(day) * (_DAY_US / unit)).astype(np.int64) * unit + _EPOCH_US
    nothing = len(subject)
    return pa.Table.from_arrays(
        [
            pa.array(subject.astype(np.int64)),
            pa.array(micro, pa.int64(), mask=static).cast(pa.timestamp("us")),
            pa.DictionaryArray.from_arrays(pa.array(code), codes).cast(pa.string()),
            pa.array(value.astype(np.float32), mask=np.isnan(value)),
            pa.nulls(nothing, pa.large_string()),
            pa.nulls(nothing, pa.string()),
        ],
        schema=EVENTS,
    )


def study_of(world: World) -> Study:
    """The study that a careful user would write for this world."""
    return parse_study(study_text(world), f"{world.name}.toml")


def study_text(world: World) -> str:
    """Its file."""
    treatments = "".join(
        f'[[treatments]]\nname = "o{k}"\ntitle = "option {k}"\ncodes = ["DRUG//{k}"]\n'
        for k in range(world.options)
    )
    last = (ZERO + datetime.timedelta(days=int(until(world)))).isoformat()
    which = "first" if world.decisions == 1 else "every"
    lines = [
        "format = 1",
        f'name = "{world.name}"',
        'title = "A simulated study"',
        'purpose = "Truth is known."',
        'limits = "Made up."',
        "[decision]",
        'codes = ["REVIEW"]',
        f'which = "{which}"',
        f'[time]\nresolution = "{world.resolution}"',
        treatments + "[given]",
        f"grace_days = {world.grace}",
        "[outcome]",
        *_outcome(world),
        "[follow_up]",
        f"until = {last}",
        'ended_by = ["MEDS_DEATH"]',
        'weighted_by = ["X//1", "X//2", "LAB//X3"]',
        "[reward]",
        'source = "made up"',
        "[profile]",
        'families = ["X", "LAB"]',
        "minimum_patients = 1",
        "[split]",
        'train = 0.6\nvalidation = 0.2\ntest = 0.2\nsalt = "estimands"',
        '[[diagnosis]]\nname = "harm"\ncodes = ["HARM"]',
        f"within_days = {world.window:g}",
        "[subgroups]",
        '"x2" = ["X//2"]',
    ]
    if world.kind != "value_in_range":
        lines += ['[[time_to_event]]\nname = "event"\ncodes = ["EVENT"]']
        lines += [f"within_days = {world.window:g}"]
    return "\n".join(lines) + "\n"


def _outcome(world: World) -> list[str]:
    lines = [f'kind = "{world.kind}"', f"within_days = {world.window:g}"]
    if world.kind == "value_in_range":
        lines += ['codes = ["VALUE"]', 'unit = "mmol/L"', "range = { at_most = 5.0 }"]
    else:
        unit = "days" if world.kind == "time_to_event" else ""
        lines += ['codes = ["EVENT"]', f'unit = "{unit}"']
    if world.unless:
        lines.append('unless = ["STOP"]')
    if world.death != "none":
        lines.append(f'competing_as = "{world.competing_as}"')
    return lines
