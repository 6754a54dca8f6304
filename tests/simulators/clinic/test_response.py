"""The clinic's effects against the publications that they are taken from."""

from dataclasses import replace

import numpy as np
import pytest

from posology.simulators.clinic import genome
from posology.simulators.clinic.disease import (
    FLUCTUATION,
    MEASUREMENT_SD,
    PERSISTENCE,
    first_state,
    response_features,
)
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.harms import HARMS, harm_risks, stopping_risks
from posology.simulators.clinic.options import (
    DPP4,
    GLP1,
    OPTIONS,
    SGLT2,
    SU,
    TZD,
    dose_share,
    doses,
)
from posology.simulators.clinic.population import draw_patients, select_rows
from posology.simulators.clinic.response import PERIOD_SD, SOURCES, full_dose_fall, hold_at_mean
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.summary import effect_variance_shares

SETTINGS = ClinicSettings()


@pytest.fixture(scope="module")
def everyone():
    patients = draw_patients(SETTINGS, np.arange(1, 30_001))
    return patients, first_state(patients, make_draws(9, patients.subject_id))


@pytest.fixture(scope="module")
def trimaster():
    """The trial's eligible: 30-80 years, HbA1c 59-110, eGFR 60 and more, no heart failure."""
    p = draw_patients(SETTINGS, np.arange(1, 30_001))
    eligible = (p.egfr >= 60) & (p.age <= 80) & (p.hba1c > 58) & (p.hba1c <= 110) & ~p.heart_failure
    p = select_rows(p, np.flatnonzero(eligible))
    known = response_features(p, first_state(p, make_draws(9, p.subject_id)))
    at_dose = full_dose_fall(known)[:, :, None] * dose_share(p.egfr)
    pioglitazone, sitagliptin, sglt2 = at_dose[:, TZD, 1], at_dose[:, DPP4, 2], at_dose[:, SGLT2, 0]
    return p, pioglitazone, sitagliptin, sglt2


def test_trimaster_obese_gain_on_pioglitazone_over_sitagliptin(trimaster):
    p, pioglitazone, sitagliptin, _ = trimaster
    obese, gain = p.bmi > 30, pioglitazone - sitagliptin
    contrast = gain[obese].mean() - gain[~obese].mean()
    assert 0.98 < contrast < 4.79  # the trial's 95 % interval
    assert contrast == pytest.approx(2.88, abs=0.5)


def test_trimaster_lower_egfr_gains_on_sitagliptin_over_sglt2(trimaster):
    p, _, sitagliptin, sglt2 = trimaster
    lower, gain = p.egfr <= 90, sitagliptin - sglt2
    contrast = gain[lower].mean() - gain[~lower].mean()
    assert 1.19 < contrast < 4.61
    assert contrast == pytest.approx(2.90, abs=0.5)


def test_trimaster_spread_within_a_patient(trimaster):
    """SD of a patient's difference between two drugs, 8.1 and 9.2 from the trial's intervals."""
    _, pioglitazone, sitagliptin, sglt2 = trimaster
    course = 2 * PERIOD_SD**2
    wander = 2 * FLUCTUATION**2 * (1 - PERSISTENCE ** (16 / 13))
    noise = course + wander + 2 * MEASUREMENT_SD**2
    for one in (pioglitazone, sglt2):
        assert 7.5 < np.sqrt((one - sitagliptin).var() + noise) < 9.5


def test_sglt2_against_dpp4_as_dennis_2022(everyone):
    """Phenotype alone: most are predicted to gain on SGLT2, about a third of them 5 and more."""
    known = response_features(*everyone)
    for source in ("genotype", "lifestyle", "environment", "history"):
        known = hold_at_mean(known, source)
    fall = full_dose_fall(known)
    gain = fall[:, SGLT2] - fall[:, DPP4]
    assert 2.0 < gain.mean() < 4.5
    assert 0.75 < (gain > 0).mean() < 0.92
    assert 0.2 < (gain >= 5).mean() < 0.45


def test_lean_men_on_sulfonylureas_obese_women_on_thiazolidinediones(everyone):
    """Dennis 2018 (ADOPT, RECORD): the sign of SU against TZD turns between these groups."""
    p, state = everyone
    fall = full_dose_fall(response_features(p, state))
    gain = fall[:, TZD] - fall[:, SU]
    assert gain[p.female & (p.bmi > 30)].mean() > 1.0
    assert gain[~p.female & (p.bmi <= 30)].mean() < -1.0


def test_every_option_lowers_more_from_a_higher_start(everyone):
    known = response_features(*everyone)
    more = full_dose_fall(replace(known, hba1c=known.hba1c * 0 + 90))
    less = full_dose_fall(replace(known, hba1c=known.hba1c * 0 + 60))
    rise = (more - less).mean(axis=0)
    assert (rise > 0).all()
    assert rise.argmin() == DPP4  # GRADE


def test_two_lost_cyp2c9_alleles_are_worth_half_a_per_cent_on_sulfonylureas(everyone):
    """Zhou 2010: 0.5 % (5.5 mmol/mol) more fall; one copy in between."""
    genotype = everyone[0].genotype
    lost = genome.count_lost_cyp2c9(genotype)
    gain = genome.extra_fall(genotype)[:, SU]
    means = [gain[lost == k].mean() for k in range(3)]
    assert means[2] - means[0] == pytest.approx(5.5, abs=0.5)
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize(
    ("rsid", "option", "per_copy"),
    [
        ("rs7903146", SU, -1.5),
        ("rs7903146", DPP4, -1.4),
        ("rs5219", SU, -0.7),
        ("rs6923761", GLP1, -0.9),
    ],
)
def test_additive_variants(everyone, rsid, option, per_copy):
    genotype = everyone[0].genotype[:100].copy()
    row = genome.ROW[rsid]
    genotype[:, row] = 0
    none = genome.extra_fall(genotype)[:, option]
    genotype[:, row] = 2
    assert np.allclose(genome.extra_fall(genotype)[:, option] - none, 2 * per_copy)


def test_genotype_effects_have_mean_zero_and_frequencies_as_stated(everyone):
    genotype = everyone[0].genotype
    assert genome.extra_fall(genotype).mean(axis=0) == pytest.approx(
        genome.mean_extra_fall(), abs=0.08
    )
    stated = np.array([v.frequency for v in genome.VARIANTS])
    assert genotype.mean(axis=0) / 2 == pytest.approx(stated, abs=0.01)
    assert genome.count_lost_cyp2c9(genotype).max() == 2  # never more than one a haplotype


def test_doses_follow_the_dose_studies():
    share = dose_share(np.array([90.0, 40.0, 25.0]))
    assert share[0, SGLT2, 0] == pytest.approx(0.87, abs=0.02)  # Roden 2013
    assert share[0, GLP1, 0] == pytest.approx(0.65, abs=0.03)  # LEAD-1, LEAD-2
    assert share[0, SU, 0] == pytest.approx(1.2 / 1.9, abs=0.03)  # Goldberg 1996
    assert share[1, DPP4, 1] == pytest.approx(1.0)  # 50 mg is the full dose below 45
    assert share[2, DPP4, 0] == pytest.approx(1.0)  # 25 mg below 30
    assert (np.isnan(share[0]) == np.isnan(doses())).all()


def test_harms_have_the_published_ratios(everyone):
    p, state = everyone
    risk = harm_risks(p, state).mean(axis=0)
    infection, failure = HARMS.index("genital_infection"), HARMS.index("heart_failure")
    fracture, hypo = HARMS.index("fracture"), HARMS.index("hypoglycaemia")
    assert 2.2 < risk[SGLT2, 0, infection] / risk[DPP4, 0, infection] < 8.0  # Mearns 2015
    assert risk[SGLT2, 0, failure] / risk[DPP4, 0, failure] == pytest.approx(0.69, abs=0.03)
    assert 1.4 < risk[TZD, 0, failure] / risk[DPP4, 0, failure] < 1.72  # Lago 2007
    assert risk[SU, 1, hypo] / risk[DPP4, 1, hypo] > 4
    assert risk[SU, 2, hypo] > risk[SU, 0, hypo]
    ratio = harm_risks(p, state)[:, TZD, 0, fracture] / harm_risks(p, state)[:, DPP4, 0, fracture]
    assert np.allclose(ratio[p.female], 2.2)  # Loke 2009
    assert np.allclose(ratio[~p.female], 1.0)


def test_intolerance_comes_back_and_grows_with_dose(everyone):
    p, state = everyone
    risk = stopping_risks(p, state)
    prone = p.liability[:, GLP1] > 1
    assert risk[prone, GLP1, 1].mean() > 2 * risk[~prone, GLP1, 1].mean()
    assert (risk[:, GLP1, 2] > risk[:, GLP1, 0]).all()
    assert 0.07 < risk[:, GLP1, 1].mean() < 0.13  # LEAD-2


def test_variance_shares_add_up_and_are_those_of_the_documentation():
    shares = effect_variance_shares(SETTINGS, patients=8_000)
    assert sum(shares[name] for name in SOURCES) == pytest.approx(1.0)
    assert shares["history"] == pytest.approx(0.62, abs=0.03)
    assert shares["phenotype"] == pytest.approx(0.27, abs=0.03)
    assert shares["genotype"] == pytest.approx(0.08, abs=0.02)
    assert shares["lifestyle"] == pytest.approx(0.03, abs=0.01)


def test_history_effect_off_removes_it():
    off = ClinicSettings(history_effect=0.0)
    patients = draw_patients(off, np.arange(1, 2001))
    assert not patients.trait.any()
    assert not patients.liability.any()
    assert effect_variance_shares(off, patients=4_000)["history"] == pytest.approx(0.0, abs=1e-12)
    on = draw_patients(SETTINGS, np.arange(1, 2001))
    assert np.array_equal(on.hba1c, patients.hba1c)  # and nothing else


def test_five_options():
    assert [o.name for o in OPTIONS] == ["sglt2", "glp1", "dpp4", "su", "tzd"]
