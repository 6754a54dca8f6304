from dataclasses import replace

from posology.report.tripod import tripod_items
from tests.builders.small_cohorts import STUDY


def test_an_item_is_reported_only_if_the_page_has_its_content() -> None:
    bare = {i.number: i.where for i in tripod_items(STUDY, False, False)}
    study = replace(STUDY, purpose="a", limits="b")
    full = {i.number: i.where for i in tripod_items(study, True, True)}
    assert len(full) == 53
    assert [n for n in full if full[n] and not bare[n]] == ["3b", "4", "14", "26", "27b", "+"]


def test_items_that_no_page_can_report_stay_open() -> None:
    items = {i.number: i.where for i in tripod_items(STUDY, True, True)}
    assert [items[n] for n in ("2", "17", "18a", "19")] == [""] * 4
