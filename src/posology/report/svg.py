"""Figures as SVG that takes the page's own colours and fonts, light or dark."""

import re
from html import escape
from io import StringIO

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040400", "#040401", "#040402", "#040403", "#040404")
"""Stand-ins: `svg` replaces each by the page's custom property of the same part."""

_PROPERTIES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{color: f"var(--series-{i})" for i, color in enumerate(SERIES)},
}


def svg(figure: Figure, name: str, alt: str) -> str:
    """One inline SVG element, the same bytes for the same figure.

    Args:
        name: goes before every id, so that two figures can stand on one page.
        alt: what a reader who does not see the figure is told.
    """
    out = StringIO()
    # text stays text: small, searchable, in the page's font; a salt: same figure, same bytes
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "posology", "text.usetex": False}):
        for text in figure.findobj(Text):
            if isinstance(text, Text):
                text.set_parse_math(False)  # a dollar sign in a name is a dollar sign
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
