"""What all results share: rows, Arrow tables, plain text, and the file that `--json` writes."""

import datetime
import json
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console, RenderableType

import posology
from posology.records.io.drafts import write_whole

Row = dict[str, Any]
"""One figure: study, model, split, metric, value, low, high, n, and what else it needs."""
TEXT_WIDTH = 100
"""Columns of a summary."""


def rows_to_table(rows: Sequence[Row]) -> pa.Table:
    """The rows as an Arrow table; a column that a row lacks is null there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])


def render_text(content: RenderableType) -> str:
    """What a terminal would show, as plain text."""
    console = Console(file=StringIO(), width=TEXT_WIDTH, no_color=True, markup=False)
    with console.capture() as capture:
        console.print(content)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def format_now() -> str:
    """Date and minute, for the footer of a report."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")


def finite_or_none(value: float) -> float | None:
    """The number, or None where JSON has no number for it."""
    return float(value) if np.isfinite(value) else None


def to_plain_json(value: Any) -> Any:
    """JSON values of nested dicts and sequences; a number that JSON lacks becomes null."""
    if isinstance(value, dict):
        return {key: to_plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain_json(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return finite_or_none(float(value))
    return value


def write_measurements(
    path: Path,
    rows: Sequence[Row],
    started: float,
    seed: int | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write `{"meta": ..., "rows": ...}` and `more`.

    `started` is time.perf_counter() at the start.
    """
    meta = {
        "command": " ".join(["posology", *sys.argv[1:]]),
        "version": posology.__version__,
        "commit": _commit(),
        "seed": seed,
        "machine": f"{platform.machine()} {platform.system()}, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    body = to_plain_json({"meta": meta, "rows": list(rows), **more})
    write_whole(path, json.dumps(body, indent=1) + "\n")


def _commit() -> str | None:
    """The checkout's commit, if posology runs from a checkout."""
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
