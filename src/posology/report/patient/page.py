"""The recommendation as one HTML file: no script, nothing loaded, light, dark and printed."""

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import tr
from posology.report.html import render_template, write_html
from posology.report.patient.assemble import build_page
from posology.report.patient.content import PatientPage


def write_patient_page(advice: Recommendation, path: Path) -> None:
    """Write the page as one HTML file, and create its folder if it does not exist."""
    write_html(render_patient_page(advice), path)


def render_patient_page(advice: Recommendation) -> str:
    """The page's HTML; the same recommendation always gives the same bytes."""
    page = build_page(advice)
    css = _style(page)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return render_template("patient/page.html.j2", replace(page, css=css, css_hash=digest))


def _style(page: PatientPage) -> str:
    """The style sheet, with what stands on every printed sheet."""
    text = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
    stamp = tr("Record as of {day}. Model {model}.").format(day=page.record_time, model=page.digest)
    safe = "".join(c for c in stamp if c.isalnum() or c in " .:-")
    return text.replace("STAMP", safe)
