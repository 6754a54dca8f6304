"""Five years in the clinic: reproducible, confounded, incomplete, and true to its truth."""

from dataclasses import fields, replace

import numpy as np
import pytest

from posology.simulators.clinic.clinicians import choose_by_consensus_2022, rank_options
from posology.simulators.clinic.disease import (
    NO_DRUG,
    advance_quarter,
    draw_response_noise,
    first_state,
    start_option,
)
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.events import CODES, MINUTES, ROW
from posology.simulators.clinic.options import DPP4, GLP1, LEVELS, OPTIONS, SGLT2, SU, TZD
from posology.simulators.clinic.population import draw_patients, select_rows
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import simulate_patients
from posology.simulators.clinic.summary import Summary
from posology.simulators.clinic.truth import (
    GOAL,
    SUFFICIENT_FALL,
    best_option,
    effective_at_best_dose,
    true_effects,
)
from posology.simulators.clinic.visits import reported_hba1c

SETTINGS = ClinicSettings(seed=1)


@pytest.fixture(scope="module")
def course():
    return simulate_patients(SETTINGS, np.arange(1, 6001))


def same(one, other) -> bool:
    columns = [f.name for f in fields(one) if isinstance(getattr(one, f.name), np.ndarray)]
    return all(
        np.array_equal(getattr(one, c), getattr(other, c), equal_nan=True)
        if getattr(one, c).dtype.kind == "f"
        else np.array_equal(getattr(one, c), getattr(other, c))
        for c in columns
    )


def test_the_same_patients_whatever_the_chunk(course):
    some = simulate_patients(SETTINGS, np.arange(3001, 3301))
    keep = (course.events.subject_id > 3000) & (course.events.subject_id <= 3300)
    whole = replace(
        course.events,
        **{f.name: getattr(course.events, f.name)[keep] for f in fields(course.events)},
    )
    assert same(some.events, whole)
    kept = (course.decisions.subject_id > 3000) & (course.decisions.subject_id <= 3300)
    assert np.allclose(
        some.decisions.truth.effective, course.decisions.truth.effective[kept], equal_nan=True
    )


def test_seeds_decide():
    one, two = (simulate_patients(SETTINGS, np.arange(1, 51)) for _ in range(2))
    other = simulate_patients(ClinicSettings(seed=2), np.arange(1, 51))
    assert same(one.events, two.events)
    assert not same(one.events, other.events)


def test_truth_is_what_comes_of_it_when_every_option_is_tried_many_times():
    """Each option and dose, 1,500 futures of each of 12 patients, at the first visit and later."""
    patients = draw_patients(SETTINGS, np.arange(1, 13))
    state = first_state(patients, make_draws(5, patients.subject_id))
    rows = np.arange(12)
    state = start_option(state, rows, (rows % 5, rows % 2), np.full(12, 6.0))
    for _ in range(3):  # so that a drug is on board and wanes
        state = advance_quarter(patients, state, make_draws(6, patients.subject_id))
    reported = reported_hba1c(patients, state, make_draws(7, patients.subject_id))
    truth = true_effects(patients, state, reported)
    futures, errors, gaps = 1500, [], []
    who = np.repeat(rows, futures)
    many, now = select_rows(patients, who), select_rows(state, who)
    needed = np.maximum(GOAL, reported - SUFFICIENT_FALL)[who]
    for option in range(len(OPTIONS)):
        for level in range(len(OPTIONS[option].doses)):
            draws = make_draws(100 + option * LEVELS + level, np.arange(len(who)))
            stops = draws.uniform("stops") < truth.stopping[who, option, level]
            fall = truth.fall[who, option, level] + draw_response_noise(draws, now.quarter)
            choice = (np.full(len(who), option), np.full(len(who), level))
            later = start_option(now, np.arange(len(who)), choice, fall)
            later = replace(later, option=np.where(stops, NO_DRUG, later.option))
            for _ in range(2):
                later = advance_quarter(many, later, draws)
            seen = reported_hba1c(many, later, draws)
            effective = (~stops & (seen <= needed)).reshape(12, futures).mean(axis=1)
            p = truth.effective[:, option, level]
            errors.append((effective - p) / np.sqrt(p * (1 - p) / futures + 1e-6))
            mean = seen.reshape(12, futures)
            gap = mean.mean(axis=1) - truth.hba1c[:, option, level]
            gaps.append(gap / (mean.std(axis=1) / np.sqrt(futures)))
    for z in (np.concatenate(errors), np.concatenate(gaps)):
        assert np.abs(z).max() < 4.2  # 168 standard scores
        assert 0.8 < z.std() < 1.2


def test_outcomes_in_the_events_are_those_the_truth_promised(course):
    """First decisions, HbA1c at six months as recorded; a stopped drug was not effective."""
    d, events = course.decisions, course.events
    first = np.flatnonzero(d.quarter == 0)
    six = (events.code == ROW["hba1c"]) & (events.quarter == 2)
    outcome = dict(zip(events.subject_id[six].tolist(), events.value[six].tolist(), strict=True))
    there = np.array([int(s) in outcome for s in d.subject_id[first]])
    rows = first[there]
    reached = np.array([outcome[int(s)] for s in d.subject_id[rows]])
    effective = ~d.is_stopped[rows] & (
        reached <= np.maximum(GOAL, d.reported_hba1c[rows] - SUFFICIENT_FALL)
    )
    promised = d.truth.effective[rows, d.option[rows], d.level[rows]]
    assert effective.mean() == pytest.approx(promised.mean(), abs=0.025)


def test_clinicians_choose_as_they_say(course):
    d = course.decisions
    assert d.choice_probability.sum(axis=(1, 2)) == pytest.approx(1.0)
    share = d.choice_probability.sum(axis=2)
    assert share.min() >= 0.01 - 1e-9
    for k in range(len(OPTIONS)):
        se = np.sqrt((share[:, k] * (1 - share[:, k])).sum())
        assert abs((d.option == k).sum() - share[:, k].sum()) < 4 * se
    assert not d.choice_probability[:, SGLT2, 2].any()


def naive_bias(settings: ClinicSettings) -> np.ndarray:
    """Expected HbA1c on each option among those given it, less the same in everybody; mmol/mol."""
    d = simulate_patients(settings, np.arange(1, 6001)).decisions
    first = d.quarter == 0
    reached, given = d.truth.hba1c[first, :, 1], d.option[first]
    return np.array([reached[given == k, k].mean() - reached[:, k].mean() for k in range(5)])


def test_confounding_by_indication_biases_the_naive_comparison():
    confounded, randomised = naive_bias(SETTINGS), naive_bias(replace(SETTINGS, confounding=0.0))
    assert np.ptp(confounded) > 2.0  # between two options, of a true difference of 0 to 4
    assert np.ptp(randomised) < 1.5
    assert confounded[SU] > 0.5  # the badly controlled get sulfonylureas
    assert confounded[DPP4] < -0.5


def test_the_truth_has_something_to_personalise(course):
    d = course.decisions
    by_option = effective_at_best_dose(d.truth)
    best = by_option.max(axis=1)
    assert best.mean() - by_option.mean(axis=0).max() > 0.05
    assert np.bincount(best_option(d.truth), minlength=5).min() > 0.03 * len(d.option)


def test_history_is_worth_something_and_nothing_when_switched_off(course):
    def regret(d) -> float:
        rows = np.arange(len(d.option))
        blind = (
            np.nan_to_num(d.effective_without_history, nan=-1.0)
            .reshape(len(rows), -1)
            .argmax(axis=1)
        )
        chosen = d.truth.effective.reshape(len(rows), -1)[rows, blind]
        return float((effective_at_best_dose(d.truth).max(axis=1) - chosen).mean())

    off = simulate_patients(
        ClinicSettings(seed=1, history_effect=0.0), np.arange(1, 1001)
    ).decisions
    assert regret(course.decisions) > 0.03
    assert regret(off) == pytest.approx(0.0, abs=1e-12)


def test_several_decisions_a_patient_and_six_months_between_those_that_held(course):
    d = course.decisions
    assert 3 < len(d.option) / 6000 < 8
    follows = np.flatnonzero(d.subject_id[1:] == d.subject_id[:-1])
    gap = d.quarter[follows + 1] - d.quarter[follows]
    assert (gap[~d.is_stopped[follows]] >= 2).all()
    assert (gap >= 1).all()
    assert d.quarter.max() == 18  # so that every outcome falls inside the five years


def test_laboratory_values_are_missing_after_the_first_visit(course):
    e = course.events
    visits = (e.code == ROW["visit"]) & (e.quarter > 0)
    for name, low, high in (("hba1c", 0.04, 0.10), ("egfr", 0.25, 0.36), ("alt", 0.38, 0.52)):
        seen = ((e.code == ROW[name]) & (e.quarter > 0)).sum()
        assert low < 1 - seen / visits.sum() < high
    assert ((e.code == ROW["egfr"]) & (e.quarter == 0)).sum() == 6000


def test_visits_are_informative_and_patients_drop_out(course):
    e = course.events
    visit = e.code == ROW["visit"]
    count = np.bincount(e.subject_id[visit & (e.quarter > 0) & (e.quarter < 5)], minlength=6001)[1:]
    high = course.patients.hba1c > np.median(course.patients.hba1c)
    assert count[high].mean() > count[~high].mean() + 0.05
    last = np.zeros(6001)
    np.maximum.at(last, e.subject_id[visit], e.quarter[visit])
    assert 0.3 < (last[1:] < 16).mean() < 0.8  # left, died, or went on to insulin
    leavers = np.bincount(e.subject_id[e.code == ROW["insulin"]], minlength=6001)[1:] > 0
    assert leavers.sum() > 500


def test_nothing_is_recorded_after_death_or_of_the_decision_before_the_visit(course):
    e = course.events
    dead = np.full(6001, np.iinfo(np.int64).max)
    is_death = e.code == ROW["death"]
    dead[e.subject_id[is_death]] = e.minute[is_death]
    assert (e.minute <= dead[e.subject_id]).all()
    hba1c = (e.code == ROW["hba1c"]) & (e.quarter == 0)
    review = (e.code == ROW["review"]) & (e.quarter == 0)
    measured = dict(zip(e.subject_id[hba1c], e.minute[hba1c], strict=True))
    assert all(m > measured[s] for s, m in zip(e.subject_id[review], e.minute[review], strict=True))


def test_harms_come_before_the_next_visit(course):
    """What clinicians act on at a visit is already in the records then."""
    e = course.events
    start = np.zeros(6001)
    start[course.patients.subject_id] = course.patients.start_day
    for name in ("heart_failure", "intolerance"):
        mine = (e.code == ROW[name]) & (e.minute > start[e.subject_id] * MINUTES)
        day = (e.minute[mine] / MINUTES - start[e.subject_id[mine]]) % 91
        assert (day < 71).all() or name == "intolerance"


def test_no_hidden_trait_stands_in_the_events():
    names = {code.name for code in CODES}
    assert not names & {"trait", "liability", "drift", "truth", "effective"}


def test_guideline_rule(course):
    assert rank_options(True, False, 80.0, 35.0, 60.0)[:2] == (SGLT2, GLP1)  # heart failure
    assert TZD not in rank_options(True, False, 80.0, 35.0, 60.0)
    assert rank_options(False, True, 80.0, 25.0, 60.0)[0] == GLP1  # atherosclerotic disease
    assert rank_options(False, False, 15.0, 25.0, 60.0)[0] == GLP1  # SGLT2 not started
    assert rank_options(False, False, 90.0, 25.0, 60.0)[0] == SGLT2
    assert rank_options(False, False, 90.0, 25.0, 60.0)[-1] == SU
    d = course.decisions
    chosen = choose_by_consensus_2022(d)
    assert not d.stopped[np.arange(len(chosen)), chosen].any()
    assert DPP4 in chosen


def test_summary_does_not_depend_on_chunks():
    whole, parts = Summary(), Summary()
    whole.add(simulate_patients(SETTINGS, np.arange(1, 201)))
    for first in (1, 51):
        last = {1: 51, 51: 201}[first]
        parts.add(simulate_patients(SETTINGS, np.arange(first, last)))
    for one, other in zip(whole.to_rows(), parts.to_rows(), strict=True):
        assert one["metric"] == other["metric"]
        assert one["value"] == pytest.approx(other["value"], nan_ok=True)
    values = {row["metric"]: row["value"] for row in whole.to_rows()}
    assert values["regret.best"] == 0
    assert values["regret.clinicians"] > 0
