"""What every command that measures writes to `--json FILE`."""

import datetime
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import posology
from posology.domain.cohort import Cohort
from posology.domain.dose_interval import interval_coverage, interval_half_width
from posology.domain.policy import Policy


def write_measures(path: Path, rows: list[dict], started: float, seed: int | None = None) -> None:
    """Write `{"meta": ..., "rows": ...}`; started is time.perf_counter() at the start."""
    meta = {
        "command": " ".join(["posology", *sys.argv[1:]]),
        "version": posology.__version__,
        "commit": _commit(),
        "seed": seed,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"meta": meta, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def measured_spread(policy: Policy, validation: Cohort) -> dict[str, float]:
    """`dose_spread`, for the evidence of an artifact; nothing where no right dose is known."""
    from posology.evaluation.table1.dose_error import true_dose
    from posology.evaluation.table1.predictions import predict_cohort

    if validation.study.dose is None:
        return {}
    spread = interval_half_width(predict_cohort(policy, validation).dose, true_dose(validation))
    return {} if spread is None else {"dose_spread": spread}


def spread_rows(said: np.ndarray, test: Cohort, spread: float | None) -> list[dict]:
    """How many right doses the interval holds, as a row; it promises nine in ten."""
    from posology.evaluation.table1.dose_error import true_dose

    right = true_dose(test)
    known = int(((said >= 0) & (right >= 0)).sum())
    if spread is None or not known:
        return []
    named = {"study": test.study.name, "model": "posology", "split": "test"}
    value = interval_coverage(said, right, spread)
    error = 1.96 * np.sqrt(value * (1 - value) / known)
    span = {"value": value, "low": value - error, "high": value + error, "n": known}
    return [named | {"metric": "dose_in_interval"} | span]


def _commit() -> str | None:
    """The checkout's commit, where posology runs from one."""
    root = Path(__file__).parents[3]
    if not (root / ".git").exists():
        return None
    run = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or None
