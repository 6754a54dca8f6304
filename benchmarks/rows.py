"""The file every benchmark writes: what was run, and one row a number."""

import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path


def row(study: str, model: str, split: str, metric: str, value: float, **more: object) -> dict:
    """One number, with `low`, `high` and `n` (null unless given) and any further keys."""
    stated = None if value != value else value  # a value that is not known is null
    return {
        "study": study, "model": model, "split": split, "metric": metric, "value": stated,
        "low": None, "high": None, "n": None, **more,
    }  # fmt: skip


def write(path: Path | None, rows: list[dict], seed: int, started: float) -> None:
    """Print the rows and, where a path is given, keep them with how they were made."""
    for r in rows:
        value = "-" if r["value"] is None else f"{r['value']:.4f}"
        print(f"{r['study']:12} {r['split']:10} {r['model']:18} {r['metric']:18} {value}")
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
