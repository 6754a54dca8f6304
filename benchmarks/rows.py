"""The file every benchmark writes: what was run, and one row a number."""

import json
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from posology.evaluation.intervals import wilson_interval


def row(study: str, model: str, split: str, metric: str, value: float, **more: object) -> dict:
    """One number, with `low`, `high` and `n` (null unless given) and any further keys."""
    stated = None if value != value else value  # a value that is not known is null
    return {
        "study": study,
        "model": model,
        "split": split,
        "metric": metric,
        "value": stated,
        "low": None,
        "high": None,
        "n": None,
        **more,
    }


def summary(found: Mapping[str, Sequence[Mapping[tuple[str, str], float]]]) -> list[dict]:
    """Means over repetitions, with 95 % intervals; by study, model and metric.

    Wilson's interval where every repetition is yes or no, else a normal one of the mean.
    """
    rows = []
    for study, repetitions in found.items():
        names = dict.fromkeys(name for each in repetitions for name in each)
        for model, metric in names:
            said = (each.get((model, metric), np.nan) for each in repetitions)
            values = np.array([value for value in said if value == value])
            mean = float(values.mean()) if len(values) else float("nan")
            low, high = _interval_of_mean(values)
            rows.append(row(study, model, "test", metric, mean, n=len(values), low=low, high=high))
    return rows


def _interval_of_mean(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    if np.isin(values, (0.0, 1.0)).all():
        return wilson_interval(int(values.sum()), len(values))
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - error), float(values.mean() + error)


def write(path: Path | None, rows: list[dict], seed: int, started: float) -> None:
    """Print the rows and, where a path is given, keep them with how they were made."""
    for r in rows:
        value = "-" if r["value"] is None else f"{r['value']:.4f}"
        print(f"{r['study']:12} {r['split']:10} {r['model']:18} {r['metric']:18} {value}")
    keep(path, rows, seed, started)


def keep(path: Path | None, rows: list[dict], seed: int, started: float) -> None:
    """Write the rows to the file, so that a run cut short keeps its part."""
    if path is None:
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    meta = {
        "command": " ".join(["python -m", Path(sys.argv[0]).stem, *sys.argv[1:]]),
        "version": version("posology"),
        "commit": commit,
        "seed": seed,
        "machine": f"{platform.machine()} {platform.system()}",
        "date": time.strftime("%Y-%m-%d"),
        "seconds": round(time.time() - started, 1),
    }
    path.write_text(json.dumps({"meta": meta, "rows": rows}, indent=1) + "\n")
