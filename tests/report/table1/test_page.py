import re
from dataclasses import replace

import numpy as np
import pytest

from posology.evaluation.table1.headline import write_headline
from posology.report.table1.page import render_table1_page, write_table1_page
from tests.builders.html import read_html
from tests.builders.table1_report import HOSTILE, table1_content


@pytest.fixture(scope="module")
def content():
    return table1_content()


@pytest.fixture(scope="module")
def html(content):
    return render_table1_page(content)


def test_elements_are_balanced_and_every_link_has_a_target(html):
    reader = read_html(html)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.link_targets) <= set(reader.ids)
    assert html.startswith("<!doctype html>")


def test_no_code_is_shown(html):
    assert "//" not in html


def test_the_heading_is_the_headline(content, html):
    text = [t.strip() for t in read_html(html).text if t.strip()]
    assert write_headline(content.table) in text[:3]
    assert re.search(r"<h1>(.*?)</h1>", html)


def test_nothing_is_loaded_and_no_script_runs(html):
    for tag, attrs in read_html(html).elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href", "action", "srcset"}:
                assert value.startswith("#")
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_markup_in_free_text_is_escaped():
    html = render_table1_page(table1_content(HOSTILE))
    reader = read_html(html)
    assert not {tag for tag, _ in reader.elements} & {"script", "img"}
    assert "".join(reader.text).count(HOSTILE) >= 15
    assert "<script" not in html


def test_every_figure_has_an_alternative_text(html):
    figures = [attrs for tag, attrs in read_html(html).elements if tag == "svg"]
    assert len(figures) == 4 + 2 + 1 + 2 + 1
    for attrs in figures:
        assert attrs["role"] == "img"
        assert len(attrs["aria-label"]) > 30


def test_table_1_contains_the_measured_values(content, html):
    text = " ".join(read_html(html).text)
    row = content.table.row("posology", "mae")
    assert f"{row.value:.2f}" in text
    assert f"{row.low:.2f} to {row.high:.2f}" in text
    assert "Posology by the paper's recipe" in text
    assert "patients at hospitals held out in turn. Under each value" in text
    assert "patients: patients" not in text
    assert "1,337 rows of the source were rejected" in text
    assert content.study.purpose in text
    assert content.study.limits == "Not for patients: nobody here exists."
    assert "Patients: nobody here exists." in text
    assert content.study.limits not in text, "its heading says that already"
    assert "too few patients" in text


def test_no_subject_identifier_appears(content):
    ids = content.cohort.history.subject_id + 987_000_000
    history = replace(content.cohort.history, subject_id=ids)
    html = render_table1_page(replace(content, cohort=replace(content.cohort, history=history)))
    assert not [i for i in ids if str(i) in html]


def test_the_same_content_gives_the_same_bytes(content, html, tmp_path):
    write_table1_page(content, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == html


def test_sections_without_results_are_left_out(content):
    n = len(content.cohort)
    without_dose = {
        model: replace(a, dose=np.full(n, np.nan)) for model, a in content.predictions.items()
    }
    bare = replace(
        content,
        predictions=without_dose,
        calibration=(),
        groups=(),
        other_splits=(),
        learning=(),
        cases=(),
        rejected_rows=(),
    )
    html = render_table1_page(bare)
    read_html(html)
    for heading in ("dose errors?", "worse for any subgroup", "Learning curves", "single patients"):
        assert heading not in html
    assert "No row of the source was rejected." in html
