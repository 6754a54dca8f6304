import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from posology.evaluation.table1.headline import write_headline
from posology.report.table1.page import render, write_report
from tests.report import made_up

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(HTMLParser):
    """Checks that every element is closed in order, and keeps what a browser would make of it."""

    def __init__(self):
        super().__init__()
        self.open, self.elements, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("style", "title"):
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def content():
    return made_up.content()


@pytest.fixture(scope="module")
def html(content):
    return render(content)


def test_every_element_is_closed_and_every_id_is_one_of_a_kind(html):
    elements = read(html).elements
    ids = [attrs["id"] for _, attrs in elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for _, a in elements if a.get("href", "").startswith("#")]
    assert set(targets) <= set(ids)
    assert html.startswith("<!doctype html>")


def test_the_first_line_is_the_headline(content, html):
    text = [t.strip() for t in read(html).text if t.strip()]
    assert write_headline(content.table) in text[:3]
    assert re.search(r"<h1>(.*?)</h1>", html)


def test_nothing_is_loaded_and_nothing_runs(html):
    for tag, attrs in read(html).elements:
        assert tag not in {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
        for name, value in attrs.items():
            assert not name.startswith("on")
            if name in {"href", "src", "xlink:href", "action", "srcset"}:
                assert value.startswith("#")
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_hostile_text_stays_text():
    html = render(made_up.content(made_up.HOSTILE))
    reader = read(html)
    assert not {tag for tag, _ in reader.elements} & {"script", "img"}
    assert "".join(reader.text).count(made_up.HOSTILE) >= 15
    assert "<script" not in html


def test_every_figure_tells_what_it_shows(html):
    figures = [attrs for tag, attrs in read(html).elements if tag == "svg"]
    assert len(figures) == 4 + 2 + 1 + 2 + 1
    for attrs in figures:
        assert attrs["role"] == "img"
        assert len(attrs["aria-label"]) > 30


def test_table_1_holds_the_figures_measured(content, html):
    text = " ".join(read(html).text)
    row = content.table.row("posology", "mae")
    assert f"{row.value:.2f}" in text
    assert f"{row.low:.2f} to {row.high:.2f}" in text
    assert "Posology by the paper's recipe" in text
    assert "hospitals held out in turn" in text
    assert "1,337 rows of the source were refused" in text
    assert content.study.purpose in text
    assert content.study.limits in text
    assert "too few to judge" in text


def test_no_subject_is_named(content):
    ids = content.cohort.history.subject_id + 987_000_000
    known = replace(content.cohort, history=replace(content.cohort.history, subject_id=ids))
    html = render(replace(content, cohort=known))
    assert not [i for i in ids if str(i) in html]


def test_same_content_same_bytes(content, html, tmp_path):
    write_report(content, tmp_path / "new" / "report.html")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == html


def test_a_bare_report_leaves_out_what_was_not_measured(content):
    n = len(content.cohort)
    silent = {model: replace(a, dose=np.full(n, np.nan)) for model, a in content.answers.items()}
    bare = replace(
        content, answers=silent, calibration=(), groups=(), further=(), learning=(), cases=(),
        refused=(),
    )  # fmt: skip
    html = render(bare)
    read(html)
    for heading in ("How far off", "served worse", "How it learned", "single patients"):
        assert heading not in html
    assert "No row of the source was refused." in html
