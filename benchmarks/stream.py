"""Two simulated years: a frozen model, one refitted on recent months, one on everything.

    python -m benchmarks.stream --patients 80000 --json out/stream.json

80,000 patients give about 5,000 decisions a month. Each month, models are fitted on decisions whose
outcomes are complete when it begins, and judged by the truth on test patients of the month. Value
is the true probability that the option chosen is effective, at its best dose. Forgetting is what an
updated model loses against the frozen one on the patients of the half year before the stream. The
monitors of the frozen model run beside. `--new-drug-fall 0` makes the new drug as good as the
others are on average. A run that was cut short continues.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import keep, row
from benchmarks.stream_world import (
    CHANGES,
    MONTHS,
    FittedPolicy,
    StreamWorld,
    best_value,
    draw_world,
    fit_policy,
    learnable,
    value_of,
)
from posology.domain.cohort import subset_decisions
from posology.lifecycle.monitoring.verdict import judge_months
from posology.simulators.clinic.drift import SEMAGLUTIDE_FALL
from posology.workflows.monitoring.observe import measure_monitoring, observe_decisions

FROZEN, FINETUNE, YEAR, SCRATCH = "frozen", "finetune", "year", "scratch"
RECENT = {FINETUNE: 6, YEAR: 12}
"""Months of outcomes that models refitted on recent months see."""
BEFORE = 6
Rows = list[dict]


def fit_month(world: StreamWorld, month: int, model: str, how: tuple[str, int]) -> FittedPolicy:
    """The model that is in use in a month. how: method and seed."""
    since = month - RECENT[model] if model in RECENT else None
    return fit_policy(learnable(world, 0 if model == FROZEN else month, since), *how)


def month_rows(
    world: StreamWorld, month: int, model: str, policy: FittedPolicy, frozen: FittedPolicy
) -> Rows:
    """Value in the month, and what was forgotten of the time before the stream."""
    value, error, n = value_of(world, policy, world.month == month)
    old = (world.month >= -BEFORE) & (world.month < 0)
    forgotten = value_of(world, frozen, old)[0] - value_of(world, policy, old)[0]
    names = {"month": month, "n": n}
    bounds = {"low": value - 1.96 * error, "high": value + 1.96 * error}
    return [
        row("stream", model, "months", "value", value, **bounds, **names),
        row("stream", model, "months", "forgetting", forgotten, **names),
    ]


def measure_month(
    world: StreamWorld,
    month: int,
    models: tuple[str, ...],
    frozen: FittedPolicy,
    how: tuple[str, int],
) -> Rows:
    """All models in one month, with the CPU-seconds of each update."""
    rows = []
    for model in models:
        at = time.process_time()
        policy = frozen if model == FROZEN else fit_month(world, month, model, how)
        seconds = 0.0 if model == FROZEN else time.process_time() - at
        rows += month_rows(world, month, model, policy, frozen)
        rows.append(row("stream", model, "months", "seconds", seconds, month=month))
    best = best_value(world, world.month == month)
    return [*rows, row("stream", "best", "months", "value", best, month=month)]


def monitor_rows(world: StreamWorld, frozen: FittedPolicy, seed: int) -> Rows:
    """Evidence and alarms of the frozen model's monitors in each month."""
    policy = frozen.policy
    reference = measure_monitoring(policy, learnable(world, 0), seed)
    inside = (world.month >= 0) & (world.month < MONTHS)
    cohort = replace(world.cohort, allowed=world.allowed & frozen.options)
    observed = observe_decisions(policy, subset_decisions(cohort, inside))
    verdict = judge_months(reference, observed, int(observed.decided.min()) + MONTHS - 1)
    assert verdict is not None
    rows = []
    for month in range(MONTHS):
        named = [
            f"{monitor.kind}: {monitor.name}"
            for monitor, seen in zip(verdict.monitors, verdict.months[month], strict=True)
            if seen.is_alarm
        ]
        found = {"month": month, "is_alarm": verdict.alarms[month], "named": named}
        total = min(verdict.total[month], 1e12)
        rows.append(row("stream", "monitors", "months", "evidence", total, **found))
    return rows


def main() -> None:
    """Measure month by month; each is kept as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--patients", type=int, default=80_000)
    parser.add_argument("--seed", type=int, default=2027)
    parser.add_argument("--method", default="logistic")
    parser.add_argument("--months", default=",".join(map(str, range(MONTHS))))
    parser.add_argument("--new-drug-fall", type=float, default=SEMAGLUTIDE_FALL)
    parser.add_argument("--models", default=f"{FROZEN},{FINETUNE},{YEAR},{SCRATCH}")
    args = parser.parse_args()
    started, how = time.time(), (args.method, args.seed)
    has_rows = args.json is not None and args.json.exists()
    rows: Rows = json.loads(args.json.read_text())["rows"] if has_rows else []
    world = draw_world(args.patients, args.seed, args.new_drug_fall)
    per_month = np.bincount(world.month[(world.month >= 0) & (world.month < MONTHS)]).mean()
    print(f"{args.patients:,} patients, {per_month:.0f} decisions a month; {CHANGES}", flush=True)
    frozen = fit_month(world, 0, FROZEN, how)
    if not any(r["model"] == "monitors" for r in rows):
        rows += monitor_rows(world, frozen, args.seed)
        keep(args.json, rows, args.seed, started)
    done = {r["month"] for r in rows if r["model"] != "monitors"}
    for month in map(int, args.months.split(",")):
        if month in done:
            continue
        found = measure_month(world, month, tuple(args.models.split(",")), frozen, how)
        rows += found
        keep(args.json, rows, args.seed, started)
        values = {r["model"]: r["value"] for r in found if r["metric"] == "value"}
        shown = ", ".join(f"{model} {value:.3f}" for model, value in values.items())
        print(f"month {month + 1} of {MONTHS}: {shown}", flush=True)


if __name__ == "__main__":
    main()
