"""The page of a recommendation: content by state, valid HTML, nothing loaded, no style."""

import base64
import hashlib
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from posology.advice.options import GIVES
from posology.domain.recommendation.findings import (
    CLEAR,
    FORBIDS,
    USED_IN_DOSE,
    KnownFact,
    MissingFact,
    SafetyFinding,
)
from posology.domain.recommendation.option import (
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    WORSE,
    Estimate,
)
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    FACT_MISSING,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    NOT_JUDGED,
    OUTSIDE_TRAINING,
    STATES,
    TOO_FEW_ALIKE,
    UNSURE,
)
from posology.domain.recommendation.why import SimilarPatients, Why
from posology.report.patient.answer import banner_facts, callouts, instead
from posology.report.patient.assemble import build_page
from posology.report.patient.content import NOTE, WARN
from posology.report.patient.missing import NEEDED
from posology.report.patient.page import render_patient_page, write_patient_page
from tests.builders.html import HtmlReader, read_html
from tests.builders.recommendation_parts import LOW_DOSE, MISSING
from tests.builders.recommendations import ADVICE_BY_STATE

CSS = Path(__file__).parents[3] / "src/posology/report/patient/page.css"


@cache
def page(state: str) -> str:
    return render_patient_page(ADVICE_BY_STATE[state])


@cache
def reader(state: str) -> HtmlReader:
    return read_html(page(state))


def text(state: str) -> str:
    return " ".join(" ".join(reader(state).text).split())


@pytest.mark.parametrize("state", STATES)
def test_a_page_is_valid_html_that_loads_nothing(state: str) -> None:
    html, found = page(state), reader(state)
    assert len(found.ids) == len(set(found.ids))
    assert set(found.link_targets) <= set(found.ids)
    assert [tag for tag, _ in found.elements].count("h1") == 1
    attributes = {(tag, name) for tag, attrs in found.elements for name in attrs}
    assert not [name for _, name in attributes if name in ("style", "src", "srcset", "onclick")]
    assert not [tag for tag, _ in found.elements if tag in ("script", "link", "img", "iframe")]
    assert not re.search(r"https?://|@import|url\(", html)


def test_a_cell_without_words_is_empty_so_that_a_telephone_shows_no_label_of_it() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    bare = replace(advice.safety[0], meaning="", source="", version="")
    html = render_patient_page(replace(advice, safety=(bare,)))
    assert 'data-th="Source and date"></td>' in html
    assert 'data-th="What it means here"></td>' in html


@pytest.mark.parametrize("state", STATES)
def test_the_answer_comes_first_and_no_section_is_empty(state: str) -> None:
    advice, shown = ADVICE_BY_STATE[state], text(state)
    assert f"<h1>{advice.headline.removesuffix('.')}</h1>" in page(state)
    assert " ".join(advice.lead) in shown
    for section in re.findall(r"<section.*?</section>", page(state), flags=re.DOTALL):
        body = re.sub(r"<svg.*?</svg>|<h2>.*?</h2>|<[^>]*>", "", section, flags=re.DOTALL)
        assert body.strip(), section[:80]
    assert "supports a decision; it does not make one" in shown
    assert f"model {advice.model.digest[:12]}" in shown
    for word in ("100 %", "chosen", "told apart", "significant", "optimal", "None", " nan "):
        assert word not in shown


@pytest.mark.parametrize("state", [s for s in ABSTAINED if s != NOT_ELIGIBLE])
def test_without_an_answer_the_page_says_what_to_go_on_before_the_options(state: str) -> None:
    html = page(state)
    order = ["What would help most", "What the guideline says", "What is usually done here"]
    places = [html.index(head) for head in (*order, "What is known", 'id="options"')]
    assert places == sorted(places)
    assert "not a reason to leave the patient without treatment" in text(state)
    assert "tag good" not in html


def test_better_is_shown_for_the_first_option_only_in_its_state() -> None:
    assert page(BETTER_FOR_PATIENT).count('class="row first') == 1
    assert "Better than usual care Better than the next option 214 similar patients" in text(
        BETTER_FOR_PATIENT
    )
    for state in set(STATES) - {BETTER_FOR_PATIENT}:
        assert 'class="row first' not in page(state)


def test_equals_stand_in_no_order_and_in_grey() -> None:
    html, shown = page(NO_OPTION_BETTER), text(NO_OPTION_BETTER)
    assert "Options, in no order of merit" in shown
    assert "tag good" not in html
    assert 'class="interval good"' not in html
    assert html.count('class="interval same"') == 2
    assert "6 more 5 fewer to 17 more = no clear difference" in shown
    assert "Dose: " not in shown
    assert "What separates low start from medium start" in shown
    assert "Options, in no order of merit" in text(BETTER_THAN_REFERENCE) or (
        ADVICE_BY_STATE[BETTER_THAN_REFERENCE].is_ranked
    )


def test_options_that_are_all_worse_are_no_equals() -> None:
    advice = ADVICE_BY_STATE[NO_OPTION_BETTER]
    worse = tuple(
        replace(o, standing=WORSE) if o.standing == NO_CLEAR_DIFFERENCE else o
        for o in advice.options
    )
    html = render_patient_page(replace(advice, options=worse))
    assert "None better than usual care" in html
    assert "No clear difference</span>" not in html
    assert "<h2>Options</h2>" in html


def test_each_option_has_benefit_harms_dose_and_cost_in_one_row() -> None:
    shown = text(BETTER_FOR_PATIENT)
    assert (
        "Low start 16 mg a week plan for 12 to 21, be ready for 10 to 29 given to 96 similar "
        "patients 58 50 to 66 21 more 11 to 31 more better"
    ) in shown
    assert "6 4 to 9 23 fewer 14 10 to 19 10 more 1 under 1 to 2 no clear difference 3.1" in shown
    assert "Usual care given to 30 similar patients 37 31 to 44 the reference" in shown
    assert "No change Not estimated Fewer than 5 similar patients stayed on enoxaparin." in shown
    assert "High start Not offered Rule W-03 forbids it with amiodarone" in shown


def test_two_intervals_that_read_the_same_are_one_line() -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    assert advice.dose is not None
    assert advice.dose.plan_for is not None
    low, high = advice.dose.plan_for
    dose = replace(advice.dose, ready_for=(low - 0.2, high + 0.2))
    html = render_patient_page(replace(advice, dose=dose))
    shown = " ".join(" ".join(read_html(html).text).split())
    line = "Plan for 12 to 21 mg a week. It holds the right dose of 80 of 100 patients, also among"
    assert line in shown
    assert "Be ready for" not in shown


def test_a_note_about_a_date_is_no_warning() -> None:
    notes = (
        "Used without a date, as the training records have none: age, weight.",
        "No date was given for weight: taken as recorded at the decision, 28-Nov-2026.",
        "Height 205 cm is above 202 cm; fewer than 5 training patients had more.",
    )
    shown = callouts(replace(ADVICE_BY_STATE[DOSE_ONLY], callouts=notes, safety=()))
    assert [(one.text, one.tone) for one in shown] == [
        (notes[2], WARN),
        (notes[0], NOTE),
        (notes[1], NOTE),
    ]


def test_what_is_not_offered_is_named_in_the_callout() -> None:
    finding = SafetyFinding(
        FORBIDS, ("high start",), "heart failure recorded", "A reason against it.", "", "a label"
    )
    one = callouts(replace(ADVICE_BY_STATE[DOSE_ONLY], callouts=(), safety=(finding,)))
    assert [c.text for c in one] == ["High start. Heart failure recorded. A reason against it."]


def test_without_an_answer_usual_care_has_one_figure() -> None:
    advice = ADVICE_BY_STATE[TOO_FEW_ALIKE]
    remark = f"{GIVES} 45 low start, 41 medium start."
    options = tuple(
        replace(o, remarks=(remark,)) if o.name == "usual_care" else o for o in advice.options
    )
    html = render_patient_page(replace(advice, options=options))
    assert "usual care: 14; of 100 patients like this one" in html
    assert "usual care gives 45" not in html
    bare = replace(advice, options=options, why=Why())
    assert "usual care gives 45" in render_patient_page(bare)


def test_a_list_of_every_option_says_that_none_is_ruled_out() -> None:
    advice = ADVICE_BY_STATE[UNSURE]
    listed = ("low start", "medium start", "high start")
    certainty = replace(advice.certainty, option_set=listed, set_coverage=0.8)
    html = render_patient_page(replace(advice, certainty=certainty))
    assert "Any of them: none can be ruled out." in html


def test_the_banner_has_the_day_of_a_value_and_not_its_code() -> None:
    known = (
        KnownFact("age", "85 years (read as 80 to 89), from the date of birth"),
        KnownFact("weight", "84 kg, from LOINC 29463-7 of 29-Oct-2026"),
    )
    shown = dict(banner_facts(replace(ADVICE_BY_STATE[DOSE_ONLY], known=known)))
    assert shown["Age"] == "85 years (read as 80 to 89)"
    assert shown["Weight"] == "84 kg (29-Oct-2026)"


def test_a_total_that_is_rounded_down_is_said_to_be() -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    counts = (("low start", 41), ("medium start", 37), ("high start", None))
    similar = tuple(SimilarPatients(title, n, None, None) for title, n in counts)
    certainty = replace(advice.certainty, similar_patients=75)
    html = render_patient_page(replace(advice, certainty=certainty, why=Why(similar=similar)))
    assert "Their number is rounded down, so that no count under 5 can be worked out." in html
    assert "who was given several options" not in html
    assert "They share only the facts named under “How sure”. Not adjusted" in html


def test_a_fact_that_is_not_exact_enough_is_what_helps_most() -> None:
    advice = ADVICE_BY_STATE[FACT_MISSING]
    bare = instead(replace(advice, missing=()))[0]
    assert (bare.strong, bare.text) == ("The fact named above.", NEEDED)


def test_harms_that_do_not_fit_stand_in_words_under_the_row() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    low = advice.options[0]
    many = tuple(replace(low.harms[0], name=f"harm {i}") for i in range(6))
    options = (replace(low, harms=many), *advice.options[1:])
    html = render_patient_page(replace(advice, options=options))
    row = re.sub(r"<[^>]*>", " ", html[html.index('class="more') : html.index("Medium start")])
    assert "Major bleed: not estimated" not in row
    assert "Harm 5: 6 of 100 (4 to 9), 23 fewer." in " ".join(row.split())


def test_reasons_counterfactuals_and_attention_say_what_they_are() -> None:
    shown = text(BETTER_FOR_PATIENT)
    assert "Low start leads by 9 of 100. Each line says how much of that would go if" in shown
    assert "Weight 80 kg. Without it the lead would be 11 of 100." in shown
    assert "What would change the order If amiodarone were stopped" in shown
    assert "This short rule agrees with the model for 91 of 100 patients." in shown
    assert "Where the model looked: it is not the reason." in shown


def test_options_of_which_nothing_is_known_share_a_row() -> None:
    advice = ADVICE_BY_STATE[NOT_JUDGED]
    bare = tuple(replace(o, standing=NOT_ESTIMATED, remarks=()) for o in advice.options)
    html = render_patient_page(replace(advice, options=bare))
    shown = " ".join(" ".join(read_html(html).text).split())
    names = "Low start; medium start; usual care; no change; high start."
    assert f"All options Not estimated {names}" in shown
    assert html.count("Not estimated") == 1


def test_small_cells_read_under_5() -> None:
    shown = text(BETTER_FOR_PATIENT)
    assert "Low start 96 57 (59 of 100; 49 to 69)" in shown
    assert "High start under 5" in shown
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    few = replace(advice.why.similar[0], reached_goal=4)
    html = render_patient_page(replace(advice, why=Why(similar=(few,))))
    assert "not shown <i></i>" in html, "under 5 may have reached the goal, or may not have"
    assert "of 100)" not in html


def test_a_share_stands_beside_how_many_were_followed_to_the_end() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    rows = (
        SimilarPatients(
            "low start", 46, None, None, goal_share=0.58, followed=17, goal_low=0.4, goal_high=0.74
        ),
        SimilarPatients("medium start", 51, None, None, followed=0),
        SimilarPatients("high start", 30, None, None, followed=26),
    )
    why = Why(similar=rows)
    shown = " ".join(
        " ".join(read_html(render_patient_page(replace(advice, why=why))).text).split()
    )
    assert "Low start 46 58 of 100; 40 to 74 (17 followed to the end)" in shown
    assert "Beside each share of 100 stands its 95 % interval" in shown
    assert "Medium start 51 too few followed to the end High start 30 not shown" in shown
    assert "Some patients left before the end. They count for as long as they were" in shown
    state = ADVICE_BY_STATE[TOO_FEW_ALIKE]
    bare = tuple(option for option in state.options if option.name != "usual_care")
    cared = " ".join(line.text for line in instead(replace(state, why=why, options=bare)))
    assert "of 100 patients like this one." in cared
    assert "whose result is known" not in cared


def test_counts_and_means_of_similar_patients_have_their_own_columns() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    both = (
        SimilarPatients("low start", 96, 57, 2.5, "mmol/mol"),
        SimilarPatients("medium start", 8, None, 3.1, "mmol/mol"),
    )
    html = render_patient_page(replace(advice, why=Why(similar=both), unit="INR"))
    shown = " ".join(" ".join(read_html(html).text).split())
    assert "Reached the goal Mean measured in mmol/mol" in shown
    assert "Low start 96 57 (59 of 100) 2.5 Medium start 8 not shown 3.1" in shown
    changes = tuple(replace(row, is_change=True) for row in both)
    html = render_patient_page(replace(advice, why=Why(similar=changes), unit="INR"))
    assert "Mean change in mmol/mol" in html
    assert "Mean measured" not in html


def test_similar_patients_of_a_dose_are_not_said_to_reach_a_goal() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    doses = (SimilarPatients("low start", 96, None, 14.9, "mg/wk"),)
    html = render_patient_page(replace(advice, why=Why(similar=doses)))
    assert "Counts under 5 are not shown.</p>" in html
    reached = (SimilarPatients("low start", 96, 57, None),)
    html = render_patient_page(replace(advice, why=Why(similar=reached)))
    assert "Counts under 5 are not shown, nor how many reached the goal where under 5" in html


def test_patients_in_several_rows_are_said_to_be_counted_once_in_each() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    said = "Patients are counted, not decisions: who was given several options stands in several"
    few = replace(advice, certainty=replace(advice.certainty, similar_patients=120))
    assert said in render_patient_page(few)
    assert said not in render_patient_page(advice)


def test_the_order_of_missing_facts_is_said_to_count_common_values_more() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    said = "a common value counts for more than a rare one"
    helpful = tuple(replace(fact, would_help="It would change much.") for fact in MISSING)
    assert len(helpful) > 1
    assert said in render_patient_page(replace(advice, missing=helpful))
    assert said not in render_patient_page(replace(advice, missing=helpful[:1]))


def test_what_stands_side_by_side_adds_up() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    first, usual = advice.options[0], advice.options[2]
    first = replace(first, outcome=Estimate(62.4, 55.0, 70.0), difference=Estimate(7.8, 2.0, 12.0))
    usual = replace(usual, outcome=Estimate(54.6, 50.0, 60.0))
    shown = replace(advice, options=(first, usual))
    words = " ".join(" ".join(read_html(render_patient_page(shown)).text).split())
    assert "62 55 to 70 7 more" in words
    assert "8 more" not in words


def test_what_must_be_read_first_is_named_and_the_rest_is_folded() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    shown = text(BETTER_FOR_PATIENT)
    assert "Given but not used: green tea (herbal)." in shown
    assert shown.index("Given but not used") < shown.index("Options")
    many = replace(advice, callouts=tuple(f"Remark {i}." for i in range(6)))
    assert "<summary>and 3 more</summary>" in render_patient_page(many)
    counted = replace(advice, safety=(), callouts=("76 events lie after the decision.",))
    assert 'class="callout note"' in render_patient_page(counted)
    assert 'class="callout stop"' in page(ALL_FORBIDDEN)
    assert 'class="callout warn"' in page(BETTER_FOR_PATIENT)
    assert 'class="callout' not in page(NOT_JUDGED)


def test_the_banner_names_no_one_and_says_of_when_the_record_is() -> None:
    shown = text(BETTER_FOR_PATIENT)
    assert "This patient Age 72 years Sex male Weight 80 kg (26-Nov-2026)" in shown
    assert "Record as of 27-Nov-2026 08:40" in shown
    assert "Age not recorded Sex not recorded" in text(NOT_JUDGED)


def test_a_missing_fact_and_a_dose_have_their_words() -> None:
    assert "Needed Target INR" in text(FACT_MISSING)
    assert "Helps most. The study needs it." in text(FACT_MISSING)
    assert "Age 97 is above the highest it saw, 94." in text(OUTSIDE_TRAINING)
    helps = "Check the values named above. If they are right, no further fact helps."
    assert f"What would help most {helps}" in text(OUTSIDE_TRAINING)
    unchecked = (
        "Before you use a guideline Whether it fits a patient like this one was not checked."
    )
    assert unchecked in text(OUTSIDE_TRAINING)
    assert unchecked not in text(TOO_FEW_ALIKE)
    assert "12. At least 50 are needed." in text(TOO_FEW_ALIKE)
    assert "Low start: 45; medium start: 41; usual care: 14; of 100 patients" in text(TOO_FEW_ALIKE)
    could_be = "Could be the best Low start; or medium start; or usual care. The likeliest comes"
    assert could_be in text(UNSURE)
    assert "Could be the best" not in text(OUTSIDE_TRAINING)
    shown = text(DOSE_ONLY)
    assert 'id="options"' not in page(DOSE_ONLY)
    holds = "It holds the right dose of 80 of 100 patients"
    fewer = "but of fewer of those who need little or much."
    assert f"Plan for 12 to 21 mg a week. {holds}, {fewer}" in shown
    assert f"Be ready for 10 to 29 mg a week. {holds}, also among those who need" in shown
    assert "No dose outside 7 to 45 mg a week is advised. This range is of the whole study" in shown
    assert "Why 16 mg a week Each line says how much the dose would change if" in shown
    assert "It was not compared with other treatments, usual care or no change." in shown
    assert "VKORC1 -1639 A/G. Without it: 22 mg a week." in shown


@pytest.mark.parametrize("state", ABSTAINED)
def test_without_an_answer_no_dose_is_shown(state: str) -> None:
    with_dose = replace(ADVICE_BY_STATE[state], dose=LOW_DOSE)
    shown = " ".join(" ".join(read_html(render_patient_page(with_dose)).text).split())
    assert "16 mg a week" not in shown
    assert ("Doses that such patients need" in shown) == (state == UNSURE)
    assert ("10 to 29 mg a week" in shown) == (state == UNSURE)


def test_missing_facts_of_which_the_same_holds_share_a_row() -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    facts = (("smoker", ""), ("target INR", "The dose would be 18 to 19."), ("herbal", ""))
    missing = tuple(MissingFact(name, "Nothing.", text) for name, text in facts)
    shown = " ".join(
        " ".join(read_html(render_patient_page(replace(advice, missing=missing))).text).split()
    )
    assert "Assumed in place of each: nothing. State Fact If you had it" in shown
    assert "Also not recorded: smoker, herbal. What it would change was not worked out." in shown
    assert "Target INR Helps most. The dose would be 18 to 19." in shown


def test_every_text_is_escaped() -> None:
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    low = replace(advice.options[0], title="<b>low</b>")
    nasty = replace(
        advice,
        headline="<i>x</i>",
        options=(low, *advice.options[1:]),
        time='2026"}<script>',
        goal="a & <b>",
    )
    html = render_patient_page(nasty)
    assert "<b>low</b>" not in html
    assert "<i>x</i>" not in html
    assert "<script" not in html
    read_html(html)


def test_the_style_sheet_is_small_and_the_only_one_that_the_page_allows() -> None:
    assert CSS.stat().st_size < 20_000
    html = page(BETTER_FOR_PATIENT)
    css = html.split("<style>", 1)[1].split("</style>", 1)[0]
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html.replace("&#39;", "'")
    assert "Record as of 27-Nov-2026 08:40. Model 173579a90c1f." in css


def test_links_lead_to_the_sections_that_are_shown() -> None:
    links = [name for name, _ in build_page(ADVICE_BY_STATE[NOT_JUDGED]).links]
    assert links == ["instead", "options", "evidence"]


def test_the_same_recommendation_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_patient_page(ADVICE_BY_STATE[DOSE_ONLY], path)
    assert path.read_text(encoding="utf-8") == page(DOSE_ONLY)


def test_a_study_without_safety_rules_says_so() -> None:
    advice = ADVICE_BY_STATE[DOSE_ONLY]
    used = SafetyFinding(USED_IN_DOSE, (), "CYP2C9 *1/*3", "It is used.", "", "This model")
    without = render_patient_page(replace(advice, safety=(used,)))
    assert "This study has no safety rules: nothing was checked against them." in without
    checked = render_patient_page(replace(advice, safety=(replace(used, kind=CLEAR), used)))
    assert "This study has no safety rules" not in checked
