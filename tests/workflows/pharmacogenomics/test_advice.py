"""Genes in `posology recommend`: from the patient's file, a laboratory's table, and the model."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.domain.pharmacogenomics.phenotypes import ReportedGene
from posology.domain.pharmacogenomics.spec import PgxSpec
from posology.errors import UserError
from posology.workflows.pharmacogenomics.advice import (
    PgxOptions,
    _read_stamped,
    not_in_the_answer,
    reported_genes,
)
from posology.workflows.recommend import recommend
from tests.advice.test_pharmacogenomics import study
from tests.builders.pharmacogenomics import write_tables
from tests.builders.policies import fitted_policy

PATIENT = {"facts": {"SEX": "male", "HEIGHT": 180}}
POOR = {"code": "GENOTYPE//GENEX//*3/*3", "time": None}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "model"
    artifact.save(fitted_policy("logistic"), replace(study(), name="small"), {}, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tables(tmp_path_factory.mktemp("pgx") / "t")


def test_a_genotype_of_the_patients_file_forbids(model: Path, folder: Path) -> None:
    patient = PATIENT | {"events": [POOR]}
    result = recommend(model, patient, pgx=PgxOptions(folder, population="adults"))
    kinds = [finding.kind for finding in result.recommendation.safety]
    assert kinds == ["forbids"]
    low = next(x for x in result.recommendation.options if x.name == "low")
    assert (low.standing, low.choice_share) == ("forbidden", 0.0)
    assert any("are old" in text for text in result.recommendation.callouts)
    assert (
        "Given but not used: genotype GENEX: *3/*3. The model does not know it. The guidelines of "
        "pharmacogenomics do." in result.recommendation.callouts
    )
    assert "Avoid examplidol use" in result.summary()


def test_a_laboratorys_table_counts_before_the_file(
    model: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "calls.tsv").write_text("GENEX\t*1/*1\n")
    patient = PATIENT | {"events": [POOR]}
    result = recommend(model, patient, pgx=PgxOptions(folder, tmp_path / "calls.tsv"))
    assert [finding.kind for finding in result.recommendation.safety] == ["clear"]


def test_without_tables_only_the_models_own_genes_are_named(model: Path) -> None:
    patient = {"facts": PATIENT["facts"] | {"GENOTYPE//VKORC1_rs9923231": "A/A"}}
    result = recommend(model, patient)
    assert [finding.kind for finding in result.recommendation.safety] == ["used_in_dose"]
    assert recommend(model, PATIENT).recommendation.safety == ()


def test_genes_are_read_from_every_kind_of_field() -> None:
    patient = {
        "facts": {
            "CYP2C9 [GENOTYPE//CYP2C9]": "*1/*3",
            "PHENOTYPE//CYP2C19//poor_metabolizer": True,
            "ACTIVITY_SCORE//DPYD": 1,
            "GENOTYPE//VKORC1_rs9923231": "A/G",
            "SEX": "male",
        },
        "events": [
            {"code": "PHENOTYPE//HLA-B//*57:01 positive", "time": "2020-01-01"},
            {"code": "PHENOTYPE//HLA-B//*15:02 negative", "time": "2020-01-02"},
            {"code": "GENOTYPE//TPMT//*1/*1", "time": "2020-01-02"},
            {"code": "GENOTYPE//TPMT//*1/*2", "time": "2019-01-01"},
        ],
    }
    assert set(reported_genes(patient, ["GENOTYPE//CYP2C9//*1/*2", "SEX//male"])) == {
        ReportedGene("CYP2C9", "*1/*3"),
        ReportedGene("CYP2C19", "", "poor metabolizer"),
        ReportedGene("DPYD", "", "", "1.0"),
        ReportedGene("HLA-B", "", "*57:01 positive; *15:02 negative"),
        ReportedGene("TPMT", "*1/*1"),
    }


@pytest.mark.parametrize(
    ("value", "score"),
    [(0, "0.0"), (0.0, "0.0"), ("0", "0.0"), ("0,5", "0.5"), ({"value": 0}, "0.0"), ("≥3", "≥3")],
)
def test_an_activity_score_of_no_function_is_read_however_it_is_written(value, score) -> None:
    """0 equals False in Python: the score of patients whom a standard dose kills was dropped."""
    expected = (ReportedGene("DPYD", "", "", score),)
    assert reported_genes({"facts": {"ACTIVITY_SCORE//DPYD": value}}) == expected
    event = {"code": "ACTIVITY_SCORE//DPYD", "value": value}
    if not isinstance(value, dict):
        assert reported_genes({"facts": {}, "events": [event]}) == expected


@pytest.mark.parametrize("value", [None, False, "unknown", "unbekannt", "", [], True])
def test_what_is_no_activity_score_is_none(value: object) -> None:
    assert reported_genes({"facts": {"ACTIVITY_SCORE//DPYD": value}}) == ()


def test_a_gene_may_have_a_date_several_values_or_a_yes() -> None:
    facts = {
        "GENOTYPE//CYP2C19": {"value": "*2/*2", "date": "2020-01-01"},
        "PHENOTYPE//HLA-B": ["*57:01 positive", "*15:02 negative"],
        "PHENOTYPE//TPMT//poor_metabolizer": "ja",
        "PHENOTYPE//NUDT15//poor_metabolizer": "no",
        "GENOTYPE//CYP2C9": "nicht bekannt",
        "PHENOTYPE//UGT1A1//poor_metabolizer": "2020-01-01",
    }
    assert set(reported_genes({"facts": facts})) == {
        ReportedGene("CYP2C19", "*2/*2"),
        ReportedGene("HLA-B", "", "*57:01 positive; *15:02 negative"),
        ReportedGene("TPMT", "", "poor metabolizer"),
        ReportedGene("UGT1A1", "", "poor metabolizer"),
    }


def test_genes_are_read_from_events() -> None:
    codes = ["GENOTYPE//CYP2C9//*1/*3", "ACTIVITY_SCORE//CYP2C9", "SEX//male"]
    table = pa.table({"subject_id": [1, 1, 1], "code": codes, "numeric_value": [None, 1.0, None]})
    assert reported_genes(table) == (ReportedGene("CYP2C9", "*1/*3", "", "1.0"),)
    assert reported_genes(table.drop_columns(["numeric_value"])) == (
        ReportedGene("CYP2C9", "*1/*3"),
    )


def test_a_result_of_after_the_decision_is_not_visible() -> None:
    early = {"code": "GENOTYPE//TPMT//*1/*1", "time": "2020-01-02"}
    late = {"code": "GENOTYPE//TPMT//*2/*2", "time": "2020-01-03T08:00"}
    patient = {"facts": {}, "events": [late, early]}
    assert reported_genes(patient) == (ReportedGene("TPMT", "*2/*2"),)
    assert reported_genes(patient, until="2020-01-02") == (ReportedGene("TPMT", "*1/*1"),)


def test_options_of_the_command_line(model: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "patient.json").write_text(json.dumps(PATIENT))
    (tmp_path / "calls.tsv").write_text("GENEX\t*3/*3\n")
    given = ["recommend", str(model), "--patient", str(tmp_path / "patient.json")]
    given += ["--pgx-calls", str(tmp_path / "calls.tsv")]
    needed = "--pgx-calls and --pgx-population need the tables .* --pgx-tables FOLDER, or `tables`"
    with pytest.raises(UserError, match=needed):
        CliRunner().invoke(app, given, catch_exceptions=False)
    out = tmp_path / "a.json"
    given += ["--pgx-tables", str(folder), "--pgx-population", "adults", "--json", str(out)]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(out.read_text())["safety"][0]["kind"] == "forbids"


def test_a_study_may_name_the_tables(model: Path, folder: Path, tmp_path: Path) -> None:
    patient = PATIENT | {"events": [POOR]}
    saved = artifact.load(model)
    named = PgxSpec(str(folder), "adults")
    with_tables = replace(saved, study=replace(saved.study, pharmacogenomics=named))
    by_study, by_hand = recommend(with_tables, patient), PgxOptions(folder, population="adults")
    assert by_study.recommendation == recommend(saved, patient, pgx=by_hand).recommendation
    assert [finding.kind for finding in by_study.recommendation.safety] == ["forbids"]
    moved = PgxSpec(str(tmp_path / "gone"))
    gone = replace(saved, study=replace(saved.study, pharmacogenomics=moved))
    assert (
        "Pharmacogenomics was not checked: the folder of tables that the study file names is not "
        "there." in recommend(gone, patient).recommendation.callouts
    )


def test_tables_are_read_again_only_if_a_file_changed(model: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "t")
    saved, patient = artifact.load(model), PATIENT | {"events": [POOR]}
    first = recommend(saved, patient, pgx=PgxOptions(folder)).recommendation
    before = _read_stamped.cache_info().misses
    assert recommend(saved, patient, pgx=PgxOptions(folder)).recommendation == first
    assert _read_stamped.cache_info().misses == before
    (folder / "recommendations_2022-09.json").unlink()
    assert recommend(saved, patient, pgx=PgxOptions(folder)).recommendation != first


def test_a_laboratorys_result_that_the_model_does_not_read_is_named() -> None:
    codes = ("GENOTYPE//CYP2C9//*1/*3", "SEX//male")
    lab = [ReportedGene("CYP2C9", "*3/*1"), ReportedGene("TPMT", "*1/*1")]
    (absent,) = not_in_the_answer(lab, {}, codes)
    assert absent == (
        "CYP2C9 *3/*1 of the laboratory's file is not used by the model: the patient's file does "
        "not hold it. Enter it there."
    )
    other = {"CYP2C9": ReportedGene("CYP2C9", "*1/*1")}
    assert "the patient's file says *1/*1." in not_in_the_answer(lab, other, codes)[0]
    same = {"CYP2C9": ReportedGene("CYP2C9", "*1/*3")}
    assert not_in_the_answer(lab, same, codes) == ()
