"""From a folder of events to a folder of arrays: the same cohort however it is cut."""

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology.advice.why.words import code_label
from posology.cli import app
from posology.cohorts.build import build_cohort
from posology.cohorts.storage.arrays import is_cohort, load_cohort, load_flow, save_cohort
from posology.cohorts.storage.folder import BuildOptions, build_folder, dry_run
from posology.cohorts.study.reader import read_study
from posology.domain.codes import display_name
from posology.domain.cohort import DECISION_COLUMNS, TEST, TRAIN, Cohort, select_split
from posology.domain.safety import allowed_treatments
from posology.errors import RecordError, UserError
from posology.learners.guidelines.formula import build_rule_policy
from posology.simulators.clinic.files.dataset import write_clinic
from posology.simulators.clinic.settings import ClinicSettings
from posology.workflows.cohorts import read_cohort
from tests.builders import synthetic_iwpc
from tests.builders.two_drug_records import event_table, study

HBA1C = "MEASUREMENT//LOINC//59261-8"


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clinic")
    for _ in write_clinic(ClinicSettings(patients=300, seed=3, chunk=100), folder / "c"):
        pass
    return folder / "c"


@pytest.fixture(scope="session")
def built(clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    out = tmp_path_factory.mktemp("built") / "cohort"
    asked = BuildOptions(rows_per_core=5_000, truth=clinic / "truth")
    return build_folder(read_study("clinic"), clinic / "meds", out, asked)


def whole(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(p) for p in sorted(folder.rglob("data/*.parquet"))])


def assert_same(a: Cohort, b: Cohort, but: tuple[str, ...] = ()) -> None:
    assert a.profile.codes == b.profile.codes
    np.testing.assert_allclose(a.profile.center, b.profile.center, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(a.profile.spread, b.profile.spread, rtol=1e-5, atol=1e-6)
    for f in fields(a.history):
        np.testing.assert_array_equal(getattr(a.history, f.name), getattr(b.history, f.name))
    for name in ("subject", "last_step", *DECISION_COLUMNS):
        one, two = getattr(a, name), getattr(b, name)
        assert (one is None) == (two is None), name
        if one is not None and name not in but:
            np.testing.assert_array_equal(one, two, err_msg=name)


def test_a_chunked_build_equals_the_build_in_memory(clinic: Path, built: Cohort) -> None:
    assert_same(
        build_cohort(whole(clinic / "meds"), built.study),
        built,
        ("best_treatment", "potential_rewards", "logged_probability"),
    )


def test_arrays_stay_on_disk(built: Cohort) -> None:
    assert isinstance(built.history.value, np.memmap)
    assert isinstance(built.effective, np.memmap)


def test_decisions_of_a_patient_are_in_order_of_time(built: Cohort) -> None:
    assert len(built) > 2 * len(built.history.subject_id)
    assert built.time is not None
    same_subject = built.subject[1:] == built.subject[:-1]
    assert (np.diff(built.time)[same_subject] > 0).all()
    assert (np.diff(built.last_step) > 0).all()


def test_the_truth_is_joined_to_the_test_split_only(clinic: Path, built: Cohort) -> None:
    test = built.split == TEST
    assert (built.best_treatment[test] >= 0).all()
    assert (built.best_treatment[~test] == -1).all()
    assert np.isnan(built.potential_rewards[~test]).all()
    assert np.isnan(built.logged_probability[~test]).all()
    truth = pq.read_table(sorted((clinic / "truth" / "decisions").glob("*.parquet")))
    names = built.study.formulary.names
    mine = truth.to_pandas()
    assert built.time is not None
    rows = {
        (int(s), round(t)): (b, g)
        for s, t, b, g in zip(
            mine["subject_id"],
            mine["time"].astype("int64") / _unit(mine["time"]),
            mine["best"],
            mine["given"],
            strict=True,
        )
    }
    for row in np.flatnonzero(test):
        subject = int(built.history.subject_id[built.subject[row]])
        best, given_ = rows[(subject, round(built.time[row] * 86_400))]
        assert names[built.best_treatment[row]] == best
        assert names[built.treatment[row]] == given_


def _unit(column) -> float:
    return {"us": 1e6, "ns": 1e9}[column.dt.unit]


def test_no_feature_reveals_the_treatment(built: Cohort) -> None:
    assert not any("leaks" in warning for warning in built.warnings)
    assert not any(code.startswith(("DRUG//", "PROCEDURE")) for code in built.profile.codes)


def test_censoring_weights_restore_the_uncensored_mean(built: Cohort) -> None:
    assert built.censoring_weight is not None
    assert (built.censoring_weight[~built.outcome_observed] == 0).all()
    known = built.censoring_weight[built.outcome_observed]
    assert 0 < (known == 0).mean() < 0.05, "only what lies at the end of the longest records"
    learns = built.split == TRAIN
    assert abs(built.censoring_weight[learns].mean() - 1) < 0.05, "each stands for those lost too"


def test_contraindicated_options_are_masked(built: Cohort) -> None:
    mask = allowed_treatments(built.study, built.profile, built.history, built.last_step)
    tzd = built.study.formulary.names.index("tzd")
    assert 0 < (~mask[:, tzd]).mean() < 0.2
    assert np.delete(mask, tzd, axis=1).all()


def test_the_studys_guideline_is_a_policy(built: Cohort) -> None:
    train, test = select_split(built, TRAIN), select_split(built, TEST)
    rule = build_rule_policy(built.study.rules[0], train)
    mask = np.ones((len(test), 5), dtype=bool)
    p = rule.choice_probabilities(test.history, test.last_step, mask)
    np.testing.assert_array_equal(p.sum(axis=1), 1.0)
    assert set(p.argmax(axis=1)) >= {0, 1}, "SGLT2 inhibitors and GLP-1 agonists come first"


def test_chunk_size_does_not_change_the_cohort(clinic: Path, built: Cohort, tmp_path: Path) -> None:
    asked = BuildOptions(rows_per_core=1_117, truth=clinic / "truth")
    cut = build_folder(built.study, clinic / "meds", tmp_path / "cohort", asked)
    assert_same(cut, built, ("censoring_weight",))


def test_a_study_with_refits_is_built_in_memory_and_saved(tmp_path: Path) -> None:
    pq.write_table(synthetic_iwpc.events(80), tmp_path / "events.parquet")
    study_ = read_study("iwpc")
    made = build_folder(study_, tmp_path / "events.parquet", tmp_path / "out")
    assert_same(made, build_cohort(synthetic_iwpc.events(80), study_))
    assert made.study == study_
    assert made.profile.formulas == synthetic_iwpc.cohort(80).profile.formulas


def test_a_cohort_folder_round_trips(built: Cohort, tmp_path: Path) -> None:
    save_cohort(built, tmp_path / "again")
    assert_same(load_cohort(tmp_path / "again"), built)
    assert load_cohort(tmp_path / "again").study == built.study
    with pytest.raises(UserError, match="exists already"):
        save_cohort(built, tmp_path / "again")


def test_a_truncated_folder_is_an_error(built: Cohort, tmp_path: Path) -> None:
    save_cohort(built, tmp_path / "bad")
    path = tmp_path / "bad" / "reward.bin"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"reward\.bin: does not match its checksum"):
        load_cohort(tmp_path / "bad")
    with pytest.raises(UserError, match="is not a complete cohort"):
        load_cohort(tmp_path)
    assert not is_cohort(tmp_path)


def test_unsorted_events_are_sorted_or_an_error(tmp_path: Path) -> None:
    rows = [
        (s, float(d), c, 1.0)
        for s in (3, 1, 2)
        for d, c in enumerate(("REVIEW", "DRUG//A", "LAB", "DRUG//B", "STOP"))
    ]
    rows += [
        (s, float(d), c, 1.0)
        for s in range(40, 80)
        for d, c in enumerate(("REVIEW", "DRUG//A", "LAB"))
    ]
    pq.write_table(event_table(*rows), tmp_path / "events.parquet")
    made = build_folder(study(), tmp_path / "events.parquet", tmp_path / "out")
    assert_same(made, build_cohort(event_table(*rows), study()))
    with pytest.raises(RecordError, match="are not in order of subject_id"):
        build_folder(
            study(), tmp_path / "events.parquet", tmp_path / "two", BuildOptions(rows_per_core=20)
        )
    assert not (tmp_path / "two").exists()


def test_a_subject_in_two_places_is_an_error(tmp_path: Path) -> None:
    for name in ("0", "1"):
        rows = [
            (s, float(d) + 50 * int(name), c, 1.0)
            for s in range(1, 9)
            for d, c in enumerate(("REVIEW", "DRUG//A", "LAB", "DRUG//B", "STOP"))
        ]
        pq.write_table(event_table(*rows), tmp_path / f"{name}.parquet")
    with pytest.raises(RecordError, match="a subject is in two places"):
        build_folder(study(), tmp_path, tmp_path / "out", BuildOptions(rows_per_core=30))


def test_a_dry_run_counts_the_same_as_the_build(clinic: Path, tmp_path: Path) -> None:
    study_ = read_study("clinic")
    told = dry_run(study_, clinic / "meds", BuildOptions(rows_per_core=4_000))
    build_folder(study_, clinic / "meds", tmp_path / "cohort", BuildOptions())
    assert told["unnamed_codes"] == []
    assert told == load_flow(tmp_path / "cohort")
    assert sum(arm["decisions"] for arm in told["arms"]) == told["flow"]["decisions"]


def test_the_command_prints_the_flow_and_builds(clinic: Path, tmp_path: Path) -> None:
    out = tmp_path / "cohort"
    words = ["cohort", "clinic", str(clinic / "meds"), "--out", str(out)]
    run = CliRunner().invoke(app, [*words, "--dry-run", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["flow"]["subjects"] == 300
    assert told["outcome"]["dose_median"] is None  # of five drugs
    assert not out.exists()
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    assert is_cohort(out)
    neither = CliRunner().invoke(app, ["cohort", "clinic", str(clinic / "meds")])
    assert isinstance(neither.exception, UserError)
    assert "add --out" in str(neither.exception)


def test_codes_are_named_by_the_study_else_by_the_records(built: Cohort, clinic: Path) -> None:
    row, metadata = built.profile.codes.index(HBA1C), clinic / "meds" / "metadata"
    assert code_label(built.profile, row, 53.0) == "HbA1c, mmol/mol: 53"
    nameless = replace(read_study("clinic"), names=())
    described = read_cohort(nameless, clinic / "meds")
    assert code_label(described.profile, row, 53.0) == "Hemoglobin A1c (IFCC) 53"
    assert display_name(HBA1C, described.study.names) == "Hemoglobin A1c (IFCC)"
    (metadata / "codes.parquet").rename(clinic / "kept.parquet")
    try:
        silent = read_cohort(nameless, clinic / "meds").profile
        unnamed = dry_run(nameless, clinic / "meds")["unnamed_codes"]
    finally:
        (clinic / "kept.parquet").rename(metadata / "codes.parquet")
    assert silent.titles == ()
    assert code_label(silent, row, 53.0) == "measurement LOINC: 59261-8 53"
    assert HBA1C in unnamed
    assert "OBSERVATION//CLINIC//diet_score" not in unnamed
