"""The section of plans: the same words on the page and on the terminal, and none without plans."""

import re
from dataclasses import replace

import pytest

from posology.domain.recommendation.planned import CONTINUE
from posology.domain.recommendation.recommendation import BETTER_THAN_REFERENCE
from posology.report.patient.course_marks import course_svg, value_scale
from posology.report.patient.page import render_patient_page
from posology.report.patient.plans import NO_BETTER, after_words, plan_table
from posology.report.patient.terminal import render_advice
from posology.workflows.results import render_text
from tests.builders.browser import CHROMIUM, lay_out
from tests.builders.planned import FEW, PLANS, course
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.report.patient.test_terminal import printed

WITHOUT = ADVICE_BY_STATE[BETTER_THAN_REFERENCE]
WITH = replace(WITHOUT, plans=PLANS)


def test_page_and_terminal_say_what_each_plan_gives_and_what_that_is():
    html = re.sub(r"\s+", " ", render_patient_page(WITH))
    text = " ".join(render_text(render_advice(WITH)).split())
    for shown in (html, text):
        assert "HbA1c if this patient continues, stops or switches" in shown
        assert "62.0 mmol/mol on 20-Nov-2026" in shown
        assert "This is a forecast, not advice." in shown
        assert "after 12 months" in shown
        assert "time-varying confounding" in shown
        assert "450 validation patients" in shown
        assert "pioglitazone): a rule forbids it." in shown
        assert NO_BETTER in shown
    assert '<a href="#plans">Plans</a>' in html
    assert html.index('id="safety"') < html.index('id="plans"') < html.index('id="contrasts"')
    assert "<b>55.9</b><small>45.9 to 65.9</small>" in html
    assert html.count('class="course"') == 4


def test_without_plans_the_page_is_as_before():
    html = render_patient_page(WITHOUT)
    assert 'id="plans"' not in html
    assert "#plans" not in html
    assert "continues, stops or switches" not in render_text(render_advice(WITHOUT))


def test_an_option_that_few_took_says_so_in_its_row():
    rows = plan_table(PLANS).rows
    assert [row.remarks for row in rows] == [(), (), (), (FEW,)]
    assert [row.plan for row in rows] == ["Continue", "Stop", "Switch to", "Switch to"]
    assert rows[0].title == "Sulfonylurea (glimepiride), 4 mg/d"


def test_where_nothing_could_be_worked_out_the_section_says_why():
    why = "Not worked out: the last HbA1c is 80 days old."
    table = plan_table(replace(PLANS, courses=(), left_out=(why,)))
    assert (table.rows, table.note, table.heads) == ((), "", ())
    assert [line.text for line in table.lines] == [why]
    assert why in render_text(
        render_advice(replace(WITH, plans=replace(PLANS, courses=(), left_out=(why,))))
    )


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (1.0, "1 day"),
        (10.0, "10 days"),
        (42.0, "6 weeks"),
        (61.0, "2 months"),
        (75.0, "75 days"),
        (91.3, "3 months"),
        (365.2, "12 months"),
    ],
)
def test_times_are_written_as_people_say_them(days, words):
    assert after_words(days) == words


def test_the_picture_has_every_value_in_its_place():
    scale = value_scale(PLANS)
    assert scale is not None
    low = min(v.low for c in PLANS.courses for v in c.values)
    high = max(v.high for c in PLANS.courses for v in c.values)
    assert 0 < scale.place(high) < scale.place(low) < 100
    flat = course(CONTINUE, "X", (62.0, 62.0, 62.0, 62.0))
    svg = course_svg(scale, 62.0, flat.values, 'a "quoted" <title>')
    places = re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)%"', svg)
    assert len({y for _, y in places}) == 1
    assert [float(x) for x, _ in places] == sorted(float(x) for x, _ in places)
    assert "<title>a &quot;quoted&quot; &lt;title&gt;</title>" in svg


def test_text_stays_within_80_columns():
    assert max(len(line) for line in printed(WITH).splitlines()) <= 80


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_nothing_is_cut_or_overprinted(tmp_path):
    frames = [(1280, "light"), (390, "light"), (390, "dark")]
    for (width, scheme), layout in zip(
        frames, lay_out(render_patient_page(WITH), tmp_path, frames), strict=True
    ):
        assert layout.scroll_width <= width, scheme
        assert layout.overflowing == [], (width, scheme)
        assert layout.overprinted == [], (width, scheme)
        assert layout.faint == [], (width, scheme)
    (without,) = lay_out(render_patient_page(WITHOUT), tmp_path, [(390, "light")])
    (narrow,) = lay_out(render_patient_page(WITH), tmp_path, [(390, "light")])
    assert narrow.height - without.height < 1_900  # names have the whole width
