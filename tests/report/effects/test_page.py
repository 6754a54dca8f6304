from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from posology.domain.study import Study
from posology.evaluation.effects.effect_study import AnalysisPlan, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.verdict import Unit
from posology.evaluation.intervals import Difference, Interval
from posology.evaluation.table1.subgroups import Subgroup
from posology.report.effects.content import EffectContent
from posology.report.effects.page import render, write_effect_report
from posology.report.effects.text import Scale, number, p_value, share
from posology.report.tripod import items
from tests.builders.known_effects import draw_nuisance
from tests.builders.small_cohorts import STUDY


def content(kept: bool = True) -> EffectContent:
    n = 600
    nuisance, truth = draw_nuisance("rct", n, 0)
    if not kept:
        nuisance, truth = draw_nuisance("obs_low", n, 0)
    said = truth.expected - truth.expected[:, [1]]
    chosen = truth.expected.argmax(axis=1)
    rule = HeldOutRule(np.arange(n) % 5, said, chosen, np.ones(n, np.int64), 5)
    groups = [
        Subgroup("sex", "<female>", np.arange(n) < 300),
        Subgroup("sex", "male", np.arange(n) > 590),
    ]
    asked = AnalysisPlan(
        tuple("abcdefgh"), {}, groups, {"bleeding": nuisance}, [rule], Unit("points"), False
    )
    study: Study = replace(STUDY, purpose="To choose.", limits="Not for children.")
    found = analyse_effects(nuisance, rule, asked, np.random.default_rng(0))
    return EffectContent(
        study, found, "600 patients.", tuple("abcdefgh"), "points", False, "shares"
    )


@pytest.fixture(scope="module")
def page() -> str:
    return render(content())


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        told = dict(attrs)
        self.ids += [told["id"]] if "id" in told else []
        self.links += [told["href"][1:]] if tag == "a" else []
        if tag not in ("meta", "path", "use", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use"):
            assert self.open.pop() == tag


def test_the_first_line_is_the_verdict(page: str) -> None:
    head = page[page.index("<h1>") + 4 : page.index("</h1>")]
    assert head.startswith("Personalising gains 0.")
    assert head.endswith("points over the best single option, new.")


def test_the_page_is_whole_and_every_link_leads_somewhere(page: str) -> None:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.links) <= set(parser.ids)
    for section in ("options", "rule", "patients", "one", "harms", "overlap", "balance", "hidden",
                    "groups", "stability", "methods", "tripod"):  # fmt: skip
        assert section in parser.ids


def test_how_sure_of_one_patient_and_when_to_leave_it_to_clinicians(page: str) -> None:
    assert "old is surely better than new for" in page
    assert "Of the others no reliable difference can be told." in page
    assert "If clinicians chose for the" in page
    assert "Average effect in each group as it was said and as it was seen" in page


def test_names_are_escaped_and_nothing_is_fetched(page: str) -> None:
    assert "&lt;female&gt;" in page
    assert "<female>" not in page
    assert "<script" not in page
    assert "To choose." in page
    assert "Not for children." in page
    assert "too few to judge" in page


def test_who_is_left_out_is_told_where_overlap_is_poor() -> None:
    page = render(content(kept=False))
    assert "That is a warning" in page
    assert "Who is left out" in page
    assert "others cannot be judged" in page


def test_the_same_content_gives_the_same_bytes(tmp_path) -> None:
    one = content()
    write_effect_report(one, tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == render(one)


def test_tripod_items_are_ticked_only_where_there_is_something() -> None:
    bare = {i.number: i.where for i in items(STUDY, groups=False, harms=False)}
    full = {i.number: i.where for i in items(replace(STUDY, purpose="a", limits="b"), True, True)}
    assert len(full) == 53
    assert [n for n in full if full[n] and not bare[n]] == ["3b", "4", "14", "26", "27b", "+"]
    for always_open in ("2", "17", "18a", "19"):
        assert not full[always_open]


def test_figures_are_written_as_people_read_them() -> None:
    scale = Scale("points", 100.0)
    found = Difference(0.0312, -0.0041, 0.0701, 0.0004)
    assert scale.change(found) == "+3.12 (-0.41 to 7.01)"
    assert scale.value(0.2134) == "21.3 %"
    assert Scale("days", 1.0).change(Interval(12.3, -40.0, 61.0)) == "+12 (-40 to 61)"
    assert scale.change(Difference(*[float("nan")] * 4)) == "too few to judge"
    assert (number(float("inf")), number(0.01234), number(float("nan"))) == (
        "no limit", "0.0123", "not known"
    )  # fmt: skip
    assert (p_value(0.0004), p_value(0.034)) == ("p < 0.001", "p = 0.034")
    assert (share(0.031), share(0.31)) == ("3.1 %", "31 %")
