"""Follow a tutorial as written: `python -m docs.make.tutorial docs/tutorials/NAME.md`.

A block with a title is written to that file. Blocks of Python run one after the other and share
their names; lines of `sh` that call posology run as commands; every line of a `text` block must
stand in what the block before it printed. As a command it works in an empty folder, starts a
process for each command, and prints the seconds of each step.
"""

import contextlib
import io
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)

RunCommand = Callable[[list[str]], str]
"""Runs `posology` with these words and returns what it prints; raises where it fails."""


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a tutorial."""

    language: str
    title: str
    """The file that the block is; empty if it is none."""
    content: str


def read_steps(page: Path) -> list[Step]:
    """The blocks of a page, in order."""
    return [Step(*block) for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(content: str) -> list[list[str]]:
    """The words of every call of posology in a block of `sh`."""
    lines = content.replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["posology"]]


def follow(steps: list[Step], run: RunCommand, seconds: dict[str, float] | None = None) -> None:
    """Do every step in the current folder; AssertionError where the page promises other output."""
    names: dict[str, object] = {}
    printed = ""
    for number, step in enumerate(steps, 1):
        started = time.perf_counter()
        if step.title:
            Path(step.title).write_text(step.content, encoding="utf-8")
        elif step.language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as output:
                exec(compile(step.content, f"block {number}", "exec"), names)
            printed = output.getvalue()
        elif step.language == "sh":
            printed = "\n".join(run(words) for words in commands(step.content)) or printed
        elif step.language == "text":
            check_printed(step.content, printed)
        if seconds is not None:
            first = step.content.strip().partition("\n")[0]
            seconds[f"{number} {step.title or first}"] = time.perf_counter() - started


def check_printed(promised: str, printed: str) -> None:
    """Every line of the page stands in the output, whatever the spaces and line ends."""
    text = " ".join(printed.split())
    for line in filter(str.strip, promised.splitlines()):
        assert " ".join(line.split()) in text, f"the page promises {line!r}; printed: {printed}"


def run_process(words: list[str]) -> str:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "posology", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Follow one page in an empty folder and print the seconds of every step."""
    steps, seconds = read_steps(Path(sys.argv[1]).resolve()), {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        follow(steps, run_process, seconds)
    for step, spent in seconds.items():
        sys.stdout.write(f"{spent:7.1f} s  {step}\n")
    sys.stdout.write(f"{sum(seconds.values()):7.1f} s  in all\n")


if __name__ == "__main__":
    main()
