"""A page in Debian's Chromium without a window: what overflows, overlaps or cannot be read."""

import html
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_SCRIPT = (Path(__file__).parent / "browser.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Layout:
    """A page at one width and colour scheme."""

    height: int
    """With the details folded."""
    scroll_width: int
    """Wider than the window if the page must be scrolled sideways."""
    overflowing: list[str]
    """Elements that reach beyond the window, outside regions that scroll; details are open."""
    overprinted: list[str]
    """Pairs of texts of one picture that lie over each other."""
    faint: list[str]
    """Texts with a contrast below 4.5 to their background (WCAG 2.2)."""
    background: str


def lay_out(page: str, folder: Path, frames: list[tuple[int, str]]) -> list[Layout]:
    """The page in one frame for each width and colour scheme (`light` or `dark`)."""
    shown = "".join(
        f'<iframe srcdoc="{html.escape(page)}" data-width="{width}" '
        f'style="width:{width}px;height:900px;border:0;color-scheme:{scheme}"></iframe>'
        for width, scheme in frames
    )
    file = folder / "frames.html"
    file.write_text(
        f"<!doctype html><meta charset=utf-8><body>{shown}<pre id=out></pre>"
        f"<script>{_SCRIPT}</script>",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            str(CHROMIUM),
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--virtual-time-budget=10000", f"--user-data-dir={folder / 'profile'}"),
            "--dump-dom",
            file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    text = done.stdout.split('<pre id="out">', 1)[1].split("</pre>", 1)[0]
    found: list[dict[str, Any]] = json.loads(html.unescape(text))
    return [Layout(**frame) for frame in found]
