"""Run a command of posology in a forked process: its own limits, its own death."""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 300.0
"""Time after which a command has hung (our choice)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    """Exit code; negative: the signal that killed it."""
    error: str
    """Its standard error."""


def posology(
    *words: object,
    folder: Path,
    kill_after: float | None = None,
    before: Callable[[], None] | None = None,
    job: Callable[[], None] | None = None,
) -> Ended:
    """Run `posology WORDS`, or a job as if it were a command.

    kill_after: seconds after which it is killed; before: called first.
    """
    out, error = folder / "stdout.txt", folder / "stderr.txt"
    child = os.fork()
    if child == 0:
        _run([str(word) for word in words], (out, error), before, job)
    code = _wait(child, kill_after)
    text = error.read_text("utf-8", "replace") if error.exists() else ""
    return Ended(code, text)


def _run(
    words: list[str],
    files: tuple[Path, Path],
    before: Callable[[], None] | None,
    job: Callable[[], None] | None,
) -> None:
    """In the child: never returns."""
    code = 99
    try:
        for number, path in enumerate(files, start=1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.argv = ["posology", *words]
        from posology import cli

        if job is not None:
            cli.app = job  # so that its errors end as those of a command
        if before is not None:
            before()
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, kill_after: float | None) -> int:
    until = time.monotonic() + (SECONDS if kill_after is None else kill_after)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -9
        time.sleep(0.01)
