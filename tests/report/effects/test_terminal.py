import io

from rich.console import Console

from posology.report.effects.terminal import render_effects
from posology.report.text import Scale
from tests.builders.effect_report import effect_content


def test_figures_never_wrap_in_80_columns() -> None:
    content = effect_content()
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(render_effects(content.results, content.raw, Scale("points", 1.0)))
    lines = capture.get().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert content.raw.outcome is not None
    raw = content.raw.outcome.differences[0]
    interval = f"{raw.value:+.2f} ({raw.low:.2f} to {raw.high:.2f})"
    assert sum(interval in line for line in lines) == 1
    assert "Unadjusted" in capture.get()
