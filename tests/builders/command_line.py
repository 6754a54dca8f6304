"""The command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def run(*words: str | Path) -> subprocess.CompletedProcess:
    """Run `posology` with these words, 100 columns wide, on the sources of this checkout."""
    return run_python("from posology.cli import main; main()", None, *words)


def run_python(code: str, folder: Path | None, *words: str | Path) -> subprocess.CompletedProcess:
    """Run Python on the sources of this checkout, in a folder."""
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={
            "COLUMNS": "100",
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": source,
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
        },
    )
