"""False alarms and detection delay of the monitors, beside Evidently's and MAPIE's.

    python -m benchmarks.monitoring --json out/monitoring.json

Months without any change; months in which every mean stands exactly at its limit, the worst that
is allowed; and changes after 12 undisturbed months. Every deployment draws its own reference. A run
that was cut short continues: parts that stand in the file are not measured again.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.monitoring_rivals import (
    draw_columns,
    drifted_columns,
    ks_alarm,
    mapie_months,
)
from benchmarks.monitoring_world import (
    STUDY,
    TRAIN_SHARE,
    changes,
    draw_months,
    draw_stream,
    residual_probabilities,
    to_edge,
)
from benchmarks.rows import keep, row
from posology.evaluation.intervals import wilson_interval
from posology.lifecycle.monitoring.detector import weigh_months

SIZES = (100, 1000, 100_000)
DEPLOYMENTS, MONTHS = 100, 200
BEFORE, AFTER = 12, 24
RUNS = 50
LARGE_STUDY = 50_000
RIVAL_MONTHS = {100: 300, 1000: 100, 100_000: 20}
"""Months of raw data of the rivals, which cannot be drawn as counts."""
MAPIE_RUNS, MAPIE_MONTHS = 10, 36
Rows = list[dict]


def false_alarms(patients: int, seed: int, deployments: int, is_edge: bool) -> Rows:
    """Alarms in undisturbed months, or in months at the limits."""
    rng = np.random.default_rng([seed, patients, is_edge])
    residuals = residual_probabilities(rng)
    alarms = 0
    for _ in range(deployments):
        stream = draw_stream(rng, residuals)
        counts = draw_months(rng, to_edge(stream) if is_edge else stream, patients, MONTHS)
        alarms += int(weigh_months(stream.detector, counts).is_alarm.sum())
    months = deployments * MONTHS
    low, high = wilson_interval(alarms, months)
    study = "at_limits" if is_edge else "undisturbed"
    found = {"low": 1000 * low, "high": 1000 * high, "n": months, "alarms": alarms}
    rate = 1000 * alarms / months
    return [row(study, "posology", f"{patients}", "false_alarms_per_1000_months", rate, **found)]


def delays(patients: int, seed: int, runs: int, study: int) -> Rows:
    """Months from a change to the alarm; 1 is the month of the change."""
    rng = np.random.default_rng([seed, patients, study, 2])
    residuals, rows = residual_probabilities(rng), []
    for name, change in changes(rng).items():
        found = []
        for _ in range(runs):
            stream = draw_stream(rng, residuals, study)
            before = draw_months(rng, stream, patients, BEFORE)
            after = draw_months(rng, change(stream), patients, AFTER)
            alarm = weigh_months(stream.detector, np.concatenate([before, after])).is_alarm
            found.append(_delay(alarm, BEFORE))
        model = "posology" if study == STUDY else f"posology_study_of_{study}"
        rows += _delay_rows(name, model, patients, np.array(found))
    return rows


def _delay(alarm: np.ndarray, before: int) -> float:
    """Month of the first alarm after the change, from 1; infinite without one."""
    after = alarm[before:]
    return float(after.argmax() + 1) if after.any() else np.inf


def _delay_rows(study: str, model: str, patients: int, delay: np.ndarray) -> Rows:
    within = int((delay <= 2).sum())
    low, high = wilson_interval(within, len(delay))
    share = {"low": low, "high": high, "n": len(delay)}
    median = float(np.median(delay))
    shown = median if np.isfinite(median) else float("nan")
    return [
        row(study, model, f"{patients}", "found_within_2_months", within / len(delay), **share),
        row(study, model, f"{patients}", "median_months", shown, n=len(delay)),
    ]


def evidently(patients: int, seed: int, reference_rows: int) -> Rows:
    """Evidently's default: any column, half of the columns; and corrected KS tests."""
    rng = np.random.default_rng([seed, patients, reference_rows, 3])
    months, rows = RIVAL_MONTHS[patients], []
    name = "evidently" if reference_rows > 1000 else "evidently_small_reference"
    for study, deviations in (("undisturbed", 0.0), ("input_half_sd", 0.5)):
        shown = np.zeros((months, 4), dtype=bool)
        for month in range(months):
            if month % 20 == 0:
                reference = draw_columns(rng, reference_rows)
            current = draw_columns(rng, patients, deviations)
            drift = drifted_columns(reference, current)
            half = 2 * drift.sum() >= len(drift)
            shown[month] = drift.any(), drift[0], half, ks_alarm(reference[0], current[0])
        models = {f"{name}_any_column": 0, f"{name}_data_set": 2, f"ks_bonferroni_{name}": 3}
        for model, column in models.items():
            if study == "undisturbed":
                rate = 1000 * float(shown[:, column].mean())
                metric = "false_alarms_per_1000_months"
                rows.append(row(study, model, f"{patients}", metric, rate, n=months))
            else:
                at = 1 if column == 0 else column  # only the shifted column is a detection
                share = float(1 - (1 - shown[:, at].mean()) ** 2)
                metric = "found_within_2_months"
                rows.append(row(study, model, f"{patients}", metric, share, n=months))
    return rows


def mapie(patients: int, seed: int, runs: int) -> Rows:
    """MAPIE's monitor of one risk at two levels; the same change of outcomes."""
    rows = []
    for level in (0.05, 0.001) if patients < 1000 else (0.05,):
        rng = np.random.default_rng([seed, patients, 4])
        reference = round(TRAIN_SHARE * STUDY)
        plan, before = (reference, patients, MAPIE_MONTHS), MAPIE_MONTHS // 3
        months = [mapie_months(rng, plan, (0.65, 0.55), level) for _ in range(runs)]
        delay = np.array([_delay(alarm, before) for alarm in months])
        rows += _delay_rows("outcomes_65_to_55", f"mapie_{level}", patients, delay)
    return rows


def _parts(seed: int, deployments: int, runs: int) -> dict[str, Callable[[], Rows]]:
    """What is measured, the most important first."""
    parts: dict[str, Callable[[], Rows]] = {}
    for n in SIZES:
        parts[f"undisturbed {n}"] = lambda n=n: false_alarms(n, seed, deployments, False)
    parts["delays 1000"] = lambda: delays(1000, seed, runs, STUDY)
    rows = round(TRAIN_SHARE * STUDY)
    for n in (1000, 100):
        parts[f"evidently {n}"] = lambda n=n: evidently(n, seed, rows)
        parts[f"evidently small {n}"] = lambda n=n: evidently(n, seed, 800)
    parts["mapie 100"] = lambda: mapie(100, seed, MAPIE_RUNS)
    for n in SIZES:
        parts[f"at limits {n}"] = lambda n=n: false_alarms(n, seed, deployments, True)
    for n in (100, 100_000):
        parts[f"delays {n}"] = lambda n=n: delays(n, seed, runs, STUDY)
    for n in (1000, 100, 100_000):
        parts[f"delays {n}, large"] = lambda n=n: delays(n, seed, runs, LARGE_STUDY)
    parts["evidently 100000"] = lambda: evidently(100_000, seed, rows)
    parts["evidently small 100000"] = lambda: evidently(100_000, seed, 800)
    parts["mapie 1000"] = lambda: mapie(1000, seed, MAPIE_RUNS)
    return parts


def main() -> None:
    """Measure part by part; each is kept as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--deployments", type=int, default=DEPLOYMENTS)
    parser.add_argument("--runs", type=int, default=RUNS)
    args = parser.parse_args()
    started, seed = time.time(), args.seed
    parts = _parts(seed, args.deployments, args.runs)
    rows: Rows = json.loads(args.json.read_text())["rows"] if _exists(args.json) else []
    done = {r["part"] for r in rows}
    for number, (name, measure) in enumerate(parts.items(), 1):
        if name in done:
            continue
        at = time.process_time()
        found = [r | {"part": name} for r in measure()]
        seconds = time.process_time() - at
        print(f"part {number} of {len(parts)}, {name}: {seconds:.0f} CPU-seconds", flush=True)
        for r in found:
            value = "-" if r["value"] is None else f"{r['value']:.3f}"
            print(f"  {r['study']:20} {r['model']:34} {r['metric']:30} {value}", flush=True)
        rows += found
        keep(args.json, rows, seed, started)


def _exists(path: Path | None) -> bool:
    return path is not None and path.exists()


if __name__ == "__main__":
    main()
