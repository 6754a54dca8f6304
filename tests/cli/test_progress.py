import pytest

from posology.cli import progress
from posology.cli.progress import CONSOLE, show_progress


def test_without_a_terminal_steps_are_lines_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, nothing was printed until the end, however long it took."""
    clock = iter([0.0, 1.5, 2.5, 3.0, 65.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert not CONSOLE.is_terminal
    with show_progress("effects") as report:
        report("reading")  # after 1.5 s: too early for a line
        report("fold 1 of 5", 0, 5)
        report("fold 2 of 5", 1, 5)
        report("estimating")
    assert capsys.readouterr().err.splitlines() == [
        "effects, 2 s: fold 1 of 5, 0 of 5",
        "effects, 65 s: estimating",
    ]
