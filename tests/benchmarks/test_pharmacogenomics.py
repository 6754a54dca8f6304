"""The reader of PharmCAT's Java tests, on a made-up checkout, and on a real one where named."""

import json
import os
from pathlib import Path

import pytest

from benchmarks.pharmacogenomics import is_equal
from benchmarks.pharmcat_cases import Case, Skipped, read_cases, read_spellings
from posology.records.sources.genomics.pgx_tables import read_pgx_tables
from tests.builders.pharmacogenomics import vcf, write_tables

MATCHER = """
  @Test
  void het(TestInfo testInfo) throws Exception {
    assertDiplotypePairs(Lists.newArrayList("*1/*4", "*2/*3"), testMatchNamedAlleles(s_env, file,
        new TestVcfBuilder(testInfo, "x")
            .variation("GENEX", "rs1", "A", "G")   // a comment
            .variation("GENEX", "rs2", "C", "T")
            .missing("GENEX", "rs4")
            .generate()));
  }
  @Test
  void top() throws Exception {
    Path vcfFile = PathUtils.getPathToResource("a.vcf");
    List<String> expectedMatches = Lists.newArrayList("*1/*3");
    Result result = testMatchNamedAlleles(s_env, file, vcfFile, true);
    assertDiplotypePairs(expectedMatches, result);
  }
  @Test
  void combinations() throws Exception {
    Result result = testMatchNamedAlleles(s_env, file, vcfFile, true, true);
    assertDiplotypePairs("*1/*3", result);
  }
"""
PIPELINE = """
  @Test
  void phased(TestInfo testInfo) throws Exception {
    PipelineWrapper testWrapper = new PipelineWrapper(testInfo, false);
    testWrapper.getVcfBuilder()
        .phased()
        .variation("GENEX", "rs1", "A", "G")
        .variation("GENEX", "rs2", "T", "C");
    List<String> expectedCalls = List.of("*1/*4");
    testWrapper.testSourceDiplotypes("GENEX", expectedCalls);
  }
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    java = tmp_path / "cat" / "src/test/java/org/pharmgkb/pharmcat"
    (java / "haplotype").mkdir(parents=True)
    (java / "haplotype" / "NamedAlleleMatcherGenexTest.java").write_text(MATCHER)
    for name in ("PipelineTest", "DpydTest", "ToxicGenesTest", "PharmCATTest"):
        (java / f"{name}.java").write_text(PIPELINE if name == "PipelineTest" else "")
    resources = tmp_path / "cat" / "src/test/resources"
    resources.mkdir()
    lines = ["chr10 100 . A G . . . GT 0/0", "chr10 200 . C T . . . GT 0/1"]
    (resources / "a.vcf").write_text(vcf(lines))
    return tmp_path / "cat"


def test_cases_are_read_and_a_wrong_one_differs(checkout: Path, tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "t")
    path = folder / "definition" / "GENEX_translation.json"
    body = json.loads(path.read_text())
    for locus in body["variants"]:
        locus["cpicToVcfAlleleMap"] = {x: x for x in (locus["ref"], *locus["alts"])}
    path.write_text(json.dumps(body))
    (folder / "definition" / "DPYD_translation.json").unlink()
    tables = read_pgx_tables(folder)
    found = list(read_cases(checkout, tables, read_spellings(folder)))
    cases = {case.test: case for case in found if isinstance(case, Case)}
    assert [x.reason for x in found if isinstance(x, Skipped)] == [
        "searches for combinations of alleles"
    ]
    assert not cases["NamedAlleleMatcherGenexTest.het"].is_top
    assert cases["NamedAlleleMatcherGenexTest.top"].is_top
    answers = {name: is_equal(case, tables)[0] for name, case in cases.items()}
    assert answers == {
        "NamedAlleleMatcherGenexTest.het": True,
        "NamedAlleleMatcherGenexTest.top": True,
        "PipelineTest.phased": False,  # expected *1/*4, but the strands say *2/*3
    }


def test_pharmcats_own_cases(shared: Path) -> None:
    place = os.environ.get("POSOLOGY_PHARMCAT", "")
    if not place:
        pytest.skip("POSOLOGY_PHARMCAT names no checkout of PharmCAT 3.1.1")
    folder = shared / "data" / "pgx"
    tables = read_pgx_tables(folder)
    found = read_cases(Path(place), tables, read_spellings(folder))
    cases = [case for case in found if isinstance(case, Case)]
    different = [case.test for case in cases if not is_equal(case, tables)[0]]
    assert len(cases) >= 95
    assert different == [
        "PipelineTest.testUndocumentedVariationsWithTreatAsReference",
        "PipelineTest.phaseSetCyp2C9",
        "DpydTest.testDpydUndocumentedVariation",
    ]
