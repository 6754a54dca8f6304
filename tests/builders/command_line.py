"""The command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def run(*words: str | Path) -> subprocess.CompletedProcess:
    """Run `posology` with these words, 100 columns wide, on the sources of this checkout."""
    code = "from posology.cli import main; main()"
    source = str(Path(__file__).parents[2] / "src")
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
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
