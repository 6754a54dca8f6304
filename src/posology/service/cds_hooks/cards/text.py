"""The detail of a card: the same words as the patient's page, as Markdown."""

from posology.advice.wording.fact_names import fact_name
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import deferred, tr
from posology.report.patient import words
from posology.report.patient.assemble import build_page
from posology.report.patient.content import Line, OptionRow, OptionTable, PatientPage
from posology.service.cds_hooks.cards.markdown import escape, table

_MOST_CALLOUTS = 8
"""Lines of warnings and remarks on a card; the page has all. Our choice."""
_MOST_KNOWN = 8
"""Facts on a card. Our choice."""
DEMONSTRATION = deferred("Demonstration: not for the care of patients.")
UNSIGNED = deferred("The model that answers has no trusted signature.")


def card_detail(advice: Recommendation, first: tuple[str, ...] = ()) -> str:
    """The whole detail.

    Args:
        first: sentences that stand before anything else, such as what was not available.
    """
    page = build_page(advice)
    parts = [
        "\n".join(f"- **{escape(text)}**" for text in first),
        " ".join(escape(sentence) for sentence in page.lead),
        _callouts(page),
        _options(page.options),
        _doses(page),
        _lines(tr("What to go on"), page.instead),
        _lines(tr("Guideline"), page.guideline),
        _lines(tr("How sure"), page.certainty),
        _known(advice),
        _missing(page),
        _evidence(page),
    ]
    return "\n\n".join(part for part in parts if part)


def _callouts(page: PatientPage) -> str:
    lines = []
    for one in page.callouts[:_MOST_CALLOUTS]:
        head = f"**{escape(one.head)}:** " if one.head else ""
        lines.append(f"- {head}{escape(one.text)}")
    if len(page.callouts) > _MOST_CALLOUTS:
        more = tr("And {count} more, on the page.")
        lines.append(f"- {more.format(count=len(page.callouts) - _MOST_CALLOUTS)}")
    return "\n".join(lines)


def _options(options: OptionTable | None) -> str:
    if options is None:
        return ""
    if not options.has_numbers:
        rows = [f"- **{escape(r.title)}**: {escape(_why_quiet(r))}" for r in options.rows]
        return f"### {escape(options.heading)}\n\n" + "\n".join(rows)
    harms = [f"{name} ({unit or tr('of 100')})" for name, unit in options.harms]
    against = tr("Against {reference}").format(reference=options.reference)
    heads = [tr("Option"), f"{options.goal} ({options.goal_unit})", against]
    rows = [[*heads, *harms], *(_row(row, len(harms)) for row in options.rows)]
    if not options.has_changes:
        rows = [row[:2] + row[3:] for row in rows]
    body = table([escape(head) for head in rows[0]], rows[1:])
    return f"### {escape(options.heading)}\n\n{body}\n\n{escape(options.note)}".rstrip()


def _why_quiet(row: OptionRow) -> str:
    tag = "" if row.tag is None else row.tag.text
    return " ".join(part for part in (f"{tag}." if tag else "", *row.remarks) if part)


def _row(row: OptionRow, harms: int) -> list[str]:
    title = f"{escape(row.title)}{f', {escape(row.dose)}' if row.dose else ''}"
    if row.is_first:
        title = f"**{title}**"
    if row.tag is not None:
        return [title, escape(_why_quiet(row)), *[""] * (1 + harms)]
    value = f"{row.value} ({row.interval})" if row.interval else row.value
    if not row.change:  # the note on ranges speaks of the patients under them
        value = "; ".join((value, *row.notes))
    change = f"{row.change} ({row.change_interval})" if row.change_interval else row.change
    verdict = f"{change}: {row.verdict}" if row.verdict else change
    cells = [f"{h.value} {h.change}".strip() for h in row.harms]
    cells += [""] * (harms - len(cells))
    return [title, *(escape(cell) for cell in (value, verdict, *cells))]


def _doses(page: PatientPage) -> str:
    if not page.doses:
        return ""
    lines = []
    for part in page.doses:
        name = f"{part.title}: " if part.title else ""
        more = " ".join(f"{line.label}: {_text(line)}" for line in part.lines)
        lines.append(f"- **{escape(f'{name}{part.dose}')}**{f' {escape(more)}' if more else ''}")
    return f"### {escape(page.dose_heading)}\n\n" + "\n".join(lines)


def _lines(heading: str, lines: tuple[Line, ...]) -> str:
    if not lines:
        return ""
    body = "\n".join(f"- **{escape(one.label)}:** {escape(_text(one))}" for one in lines)
    return f"### {heading}\n\n{body}"


def _text(line: Line) -> str:
    return f"{line.strong} {line.text}".strip()


def _known(advice: Recommendation) -> str:
    """What was read of the record, and what was worked out from what."""
    if not advice.known:
        return ""
    shown = advice.known[:_MOST_KNOWN]
    listed = "; ".join(escape(f"{fact_name(fact.fact)} {fact.value}") for fact in shown)
    more = len(advice.known) - len(shown)
    if more:
        listed = f"{listed}; {tr('and {count} more, on the page').format(count=more)}"
    return f"**{tr('Read from the record:')}** {listed}."


def _missing(page: PatientPage) -> str:
    if not page.missing:
        return ""
    names = "; ".join(escape(row.fact) for row in page.missing[:6])
    return f"**{tr('Not recorded:')}** {names}."


def _evidence(page: PatientPage) -> str:
    body = " ".join(f"{one.label}: {_text(one)}" for one in page.evidence)
    return f"{escape(body)}\n\n{' '.join(escape(words.sentence(one)) for one in page.footer)}"
