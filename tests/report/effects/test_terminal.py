import io
from dataclasses import replace

from rich.console import Console

from posology.report.effects.result_sections import rule
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
    text = " ".join(capture.get().split())
    assert (
        "Intervals of adjusted effects, and of gains of one option for all, hold for all options "
        "together (max-t); every other interval holds for itself alone, so it is narrower." in text
    )


def test_where_nothing_is_judged_there_is_no_value_of_a_rule() -> None:
    content = effect_content()
    options = tuple(
        replace(option, reason="too few patients")
        for option in content.results.verdict.overlap.options
    )
    overlap = replace(content.results.verdict.overlap, options=options)
    results = replace(content.results, verdict=replace(content.results.verdict, overlap=overlap))
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(render_effects(results, content.raw, Scale("points", 1.0)))
    assert "not judged: too few patients" in " ".join(capture.get().split())
    assert "Gain over" not in capture.get()
    section = rule(results, Scale("points", 1.0))
    assert section is not None
    assert section.tables == ()
    assert section.paragraphs[0].startswith("Posology's rule has no value here: too few patients")
