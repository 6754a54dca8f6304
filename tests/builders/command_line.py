"""The command line as its user has it: words in, an exit code and two streams out."""

import logging
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from unittest import mock

from posology.cli import main


def run(*words: str | Path) -> subprocess.CompletedProcess:
    """Run `posology` with these words in this process, which pays for the imports once."""
    command = ["posology", *map(str, words)]
    out, err, log = StringIO(), StringIO(), logging.getLogger("posology")
    before = log.handlers[:]
    with (
        mock.patch.object(sys, "argv", command),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code: int | str | None = 0
        except SystemExit as ended:
            code = ended.code
        finally:
            log.handlers[:] = before
    returned = code if isinstance(code, int) else int(code is not None)
    return subprocess.CompletedProcess(command, returned, out.getvalue(), err.getvalue())


def run_in_a_process(*words: str | Path) -> subprocess.CompletedProcess:
    """The same in a process of its own, 100 columns wide, on the sources of this checkout."""
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
