"""The one style sheet of all pages: that of the patient's page, then the service's own."""

import hashlib
import re
from functools import cache
from pathlib import Path

from posology.report.patient import page as patient_page

MOST_BYTES = 20_000
"""What a first visit may load beside the page itself."""
_STAMP = re.compile(r"@bottom-left \{[^}]*STAMP[^}]*\} ")


@cache
def stylesheet() -> str:
    """The style sheet as it is sent, without the white space of its source."""
    report = Path(patient_page.__file__).with_name("page.css").read_text(encoding="utf-8")
    own = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    text = _STAMP.sub("", report) + own
    text = re.sub(r"\s*([{};,>])\s*", r"\1", re.sub(r"\n\s*", "", text))
    return re.sub(r":\s+", ":", text).replace(";}", "}")


@cache
def stylesheet_name() -> str:
    """The file's name, which changes with its content: browsers may keep it for a year."""
    return f"posology-{hashlib.sha256(stylesheet().encode()).hexdigest()[:12]}.css"


def print_stamp(text: str) -> str:
    """A style sheet that puts a line on the foot of every printed sheet."""
    safe = "".join(c for c in text if c.isalnum() or c in " .:,-()")
    return f'@page {{ @bottom-left {{ content: "{safe}"; font: 8pt Arial, sans-serif; }} }}\n'
