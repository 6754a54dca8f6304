"""Progress from Python: one line on a terminal, and nothing elsewhere."""

import inspect
import io

import pytest

from posology.workflows.fit import fit
from posology.workflows.progress import progress_of_python


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_it_is_one_line_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setattr("sys.stderr", terminal)
    progress_of_python("epoch 3", 3, 40)
    progress_of_python("x" * 200)
    assert terminal.getvalue().startswith("\r\x1b[Kepoch 3, 3 of 40\r\x1b[K")
    assert "\n" not in terminal.getvalue()
    assert len(terminal.getvalue().rpartition("\x1b[K")[2]) == 80
    monkeypatch.setattr("sys.stderr", file)
    progress_of_python("epoch 3", 3, 40)
    assert file.getvalue() == ""


def test_fit_shows_it_from_python() -> None:
    assert inspect.signature(fit).parameters["progress"].default is progress_of_python
