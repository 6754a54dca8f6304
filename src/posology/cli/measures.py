"""What every command that measures writes to `--json FILE`."""

import datetime
import json
import platform
import subprocess
import sys
import time
from pathlib import Path

import posology


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
