"""A recommendation on the terminal, within 80 columns: the answer first, in the page's order."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from posology.advice.wording.titles import small_first
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import deferred, tr
from posology.report.patient.assemble import build_page
from posology.report.patient.content import (
    BAD,
    GOOD,
    NOTE,
    STOP,
    WARN,
    Callout,
    ContrastPart,
    Line,
    OptionRow,
    OptionTable,
    PatientPage,
    PlanTable,
    SafetyRow,
    Tag,
)
from posology.report.patient.option_rows import OF_100, RANGES
from posology.report.patient.words import without_stop

_UNUSED = deferred("Given but not")
"""What was given and not used is said before the answer."""
_COLUMNS = (22, 18, 32)
"""Widths of an option's lines: with gaps and indent 78 of 80 columns."""
_COLORS = {GOOD: "green", BAD: "yellow", STOP: "red", WARN: "yellow"}
_MARKS = {"up": "▲ ", "same": "= ", "minus": "- ", "check": "", "warn": "! ", "stop": "x "}


def render_advice(advice: Recommendation) -> Group:
    """All parts as text; nothing is cut, what is too wide wraps."""
    page = build_page(advice)
    unused = [c for c in page.callouts if c.head.startswith(tr(_UNUSED))]
    parts: list[RenderableType] = [*(_callout(c) for c in unused), _answer(page)]
    parts += [_callout(c) for c in page.callouts if c not in unused]
    if page.instead:
        parts += _section(tr("What to go on instead"), _lines(page.instead))
    if page.options is not None:
        parts += _section(page.options.heading, *_options(page.options))
    for dose in page.doses:
        title = page.dose_heading
        if dose.title:
            title = tr("Dose, {option}: {dose}").format(option=dose.title, dose=dose.dose)
        parts += _section(title, _lines(dose.lines))
    if page.certainty:
        parts += _section(tr("How sure"), _lines(page.certainty))
    findings = [_finding(row) for row in page.safety]
    parts += _section(tr("Safety and pharmacogenomics"), _dim(page.safety_note), *findings)
    if page.plans is not None:
        parts += _section(page.plans.heading, *_plans(page.plans))
    for contrast in page.contrasts:
        parts += _section(contrast.heading, *_contrast(contrast))
    for group in page.why:
        parts += _section(group.heading, *[Text(text) for text in group.lines])
    parts += _tail(page)
    return Group(*parts)


def _tail(page: PatientPage) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if page.similar:
        parts += _section(tr("Patients like this one"), _similar(page), _dim(page.similar_note))
    if page.missing or page.missing_rest:
        parts += _section(
            tr("What was missing, and what would help most"),
            *([_dim(page.missing_note)] if page.missing_note else []),
            *[
                _labelled(m.fact, " ".join(_missing_words(m.tag, m.assumed, m.help)))
                for m in page.missing
            ],
            *([Text(page.missing_rest)] if page.missing_rest else []),
        )
    if page.known:
        known = "; ".join(f"{k.label} {k.strong} {k.text}".strip() for k in page.known)
        parts += _section(tr("Facts that were used"), Text(known))
    if page.looked:
        looked = ", ".join(f"{row.step} {row.share}" for row in page.looked)
        parts += _section(tr("Where the model looked: it is not the reason"), Text(looked))
    if page.guideline:
        parts += _section(tr("What the guideline says"), _lines(page.guideline))
    parts += _section(tr("Evidence and limits"), _lines(page.evidence))
    return [*parts, Text(""), _dim(" ".join(page.footer))]


def _answer(page: PatientPage) -> Group:
    who = ", ".join(f"{small_first(label)} {value}" for label, value in page.banner)
    tags = Text("  ").join(
        Text(_mark(t) + t.text, style=_COLORS.get(t.tone, "")) for t in page.tags
    )
    record = tr("Record as of {day}.").format(day=page.record_time)
    return Group(
        Text(f"{page.headline}.", style="bold"),
        Text(" ".join(page.lead)),
        tags,
        _dim(f"{who[:1].upper()}{who[1:]}. {record} {page.kicker}"),
    )


def _mark(tag: Tag) -> str:
    return _MARKS.get(tag.icon, "")


def _callout(callout: Callout) -> Text:
    head = f"{callout.head}: " if callout.head else ""
    return Text.assemble(
        ("- " if callout.tone == NOTE else "! ", "bold"),
        (head, "bold"),
        callout.text,
        style=_COLORS.get(callout.tone, ""),
    )


def _section(title: str, *body: RenderableType) -> list[RenderableType]:
    return [Text(f"\n{title}", style="bold underline"), *body]


def _options(table: OptionTable) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if table.has_numbers:
        text = tr("Goal: {goal}. In {unit}, with 95 % intervals; differences against {reference}.")
        if table.goal_unit == tr(OF_100):
            text = tr(
                "Goal: {goal}. In patients of 100, with 95 % intervals; differences against "
                "{reference}."
            )
        goal = text.format(goal=table.goal, unit=table.goal_unit, reference=table.reference)
        parts.append(_dim(goal if table.has_changes else table.note))
    return [*parts, *(_option(table, row) for row in table.rows)]


def _option(table: OptionTable, row: OptionRow) -> Group:
    head = ", ".join(part for part in (row.title, row.dose) if part)
    notes = f" ({'; '.join(row.notes)})" if row.notes else ""
    title = Text.assemble((head, "bold"), notes)
    if row.tag is not None:
        tag = (f"{_mark(row.tag)}{row.tag.text}. ", _COLORS.get(row.tag.tone, ""))
        return Group(title, Padding(Text.assemble(tag, " ".join(row.remarks)), (0, 0, 0, 2)))
    grid = Table.grid(padding=(0, 2))
    for width in _COLUMNS:
        grid.add_column(width=width, overflow="fold")
    value = f"{row.value} ({row.interval})" if row.interval else row.value
    goal = tr("Reach the goal") if table.goal_unit == tr(OF_100) else tr("Mean")
    goal = tr("Need such a dose") if table.note.startswith(tr(RANGES)) else goal
    grid.add_row(goal, value, _change(row.change, row.change_interval, row.verdict, row.kind))
    for harm in row.harms:
        name = f"{harm.name}, {harm.unit}" if harm.unit else harm.name
        value = f"{harm.value} ({harm.interval})" if harm.value else ""
        grid.add_row(name, value, Text(harm.change, style=_COLORS.get(harm.kind, "")))
    body = [grid, Text(" ".join(row.remarks))] if row.remarks else [grid]
    return Group(title, *[Padding(part, (0, 0, 0, 2)) for part in body])


def _change(change: str, interval: str, verdict: str, kind: str) -> Text:
    words = f"{change} ({interval})" if interval else change
    return Text.assemble(words, (f": {verdict}" if verdict else "", _COLORS.get(kind, "")))


def _finding(row: SafetyRow) -> Group:
    tag = (f"{row.tag.text}: ", f"bold {_COLORS.get(row.tag.tone, '')}".strip())
    concerns = f" {tr('Concerns {options}.').format(options=row.options)}" if row.options else ""
    source = ", ".join(x for x in (row.strength, row.source, row.version) if x)
    finding = Text.assemble(tag, (f"{row.finding}.", "bold"), f" {row.meaning}{concerns}")
    return Group(finding, *([Padding(_dim(source), (0, 0, 0, 2))] if source else []))


def _plans(plans: PlanTable) -> list[RenderableType]:
    if not plans.rows:
        return [_lines(plans.lines)]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(tr("Plan"), overflow="fold")
    for head in plans.heads:
        table.add_column(tr("after {time}").format(time=head), overflow="fold")
    for row in plans.rows:
        cells = [f"{value}\n{span}" for value, span in row.cells]
        few = "".join(f"\n! {text}" for text in row.remarks)
        plan = Text.assemble(f"{row.plan} {row.title}", (few, _COLORS[WARN]))
        table.add_row(plan, *cells)
    return [_dim(plans.note), table, _lines(plans.lines)]


def _contrast(contrast: ContrastPart) -> list[RenderableType]:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=5, justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in contrast.rows:
        grid.add_row(row.amount, Text.assemble((f"{row.fact} ", "bold"), row.text))
    left, right = contrast.sides
    return [_dim(f"{contrast.note} + {right}, \u2212 {left}; {contrast.unit}."), grid]


def _missing_words(tag: Tag, assumed: str, help_words: str) -> list[str]:
    parts = [f"{tag.text}."]
    if assumed:
        parts.append(tr("Assumed: {value}.").format(value=small_first(without_stop(assumed))))
    return [*parts, help_words]


def _lines(lines: tuple[Line, ...]) -> Group:
    return Group(*[_labelled(x.label, x.text, x.strong) for x in lines])


def _labelled(label: str, text: str, strong: str = "") -> Text:
    first = f"{strong} " if strong and text else strong
    return Text.assemble((f"{label}: ", "dim"), (first, "bold"), text)


def _similar(page: PatientPage) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    reached, mean = page.similar_heads
    for head in (tr("They were given"), tr("Patients"), *(h for h in (reached, mean) if h)):
        table.add_column(head, overflow="fold")
    for s in page.similar:
        cells = [f"{s.reached} {s.share}".strip()] if reached else []
        table.add_row(s.option, s.patients, *cells, *([s.mean] if mean else []))
    return table


def _dim(text: str) -> Text:
    return Text(text, style="dim")
