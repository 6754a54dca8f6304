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
        "together (max-t); every other interval holds for itself alone." in text
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


def test_no_table_names_one_option_where_the_best_differs_between_folds() -> None:
    """Its own row would state a gain over itself that is not 0."""
    content = effect_content()
    mixed = replace(content.results.verdict, best_singles="new (old for 20 % of the patients)")
    results = replace(content.results, verdict=mixed)
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        console.print(render_effects(results, content.raw, Scale("points", 1.0)))
    shown = " ".join(capture.get().split())
    assert "best single option of other patients, new (old for 20 % of the patients)," in shown
    section = rule(results, Scale("points", 1.0))
    assert section is not None
    assert "Gain over the best single option (95 %)" in section.tables[0].heads
    chosen = (
        "The best single option is chosen on other patients: new (old for 20 % of the patients)."
    )
    assert chosen in section.paragraphs[0]
