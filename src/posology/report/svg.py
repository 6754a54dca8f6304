"""Matplotlib figures as inline SVG in the page's own colours and fonts, light or dark."""

import re
from html import escape
from io import StringIO

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from posology.report.inline_figure import InlineFigure

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040400", "#040401", "#040402", "#040403", "#040404")
"""Placeholder colours: `to_svg` replaces each by a custom property of the page's CSS."""

_PROPERTIES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{color: f"var(--series-{i})" for i, color in enumerate(SERIES)},
}


def inline_figure(figure: Figure, name: str, alt: str, caption: str) -> InlineFigure:
    """The figure as SVG with its caption; `name` and `alt` as in `to_svg`."""
    return InlineFigure(to_svg(figure, name, alt), caption)


def to_svg(figure: Figure, name: str, alt: str) -> str:
    """One inline SVG element; the same figure always gives the same bytes.

    Args:
        name: prefix of every id, so that two figures can be on one page.
        alt: text for readers who cannot see the figure.
    """
    out = StringIO()
    # text is not drawn as paths: it is small, searchable and in the page's font
    # a fixed salt gives the same ids each time
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "posology", "text.usetex": False}):
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_parse_math(False)  # a dollar sign in a name does not start a formula
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    _, size, body = re.split(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', out.getvalue(), maxsplit=1)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = body.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    for color, variable in _PROPERTIES.items():
        body = body.replace(color, variable)
    title = escape(alt, quote=True)
    width = size.split()[2]
    return (
        f'<svg role="img" aria-label="{title}" viewBox="{size}" style="max-width: {width}pt">'
        f"<title>{title}</title>{body}"
    )
