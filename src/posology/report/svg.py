"""Figures as SVG that takes the page's own colours and fonts, light or dark."""

import re
from html import escape
from io import StringIO

from matplotlib import rc_context
from matplotlib.figure import Figure

INK, MUTED, GRID = "#010101", "#020202", "#030303"
SERIES = ("#040400", "#040401", "#040402", "#040403", "#040404")
"""Stand-ins: `svg` replaces each by the page's custom property of the same part."""

_PROPERTIES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--line)",
    **{color: f"var(--series-{i})" for i, color in enumerate(SERIES)},
}
_SETTINGS = {
    "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
    "svg.hashsalt": "posology",  # the same figure gives the same bytes
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "text.usetex": False,
}


def svg(figure: Figure, name: str, alt: str) -> str:
    """One inline SVG element, the same bytes for the same figure.

    Args:
        name: goes before every id, so that two figures can stand on one page.
        alt: what a reader who does not see the figure is told.
    """
    out = StringIO()
    with rc_context(_SETTINGS):
        for text in figure.findobj(lambda artist: hasattr(artist, "set_parse_math")):
            text.set_parse_math(False)
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
