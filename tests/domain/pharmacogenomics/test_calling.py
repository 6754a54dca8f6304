import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.pharmacogenomics.call_gene import call_gene
from posology.domain.pharmacogenomics.calling import GeneCall
from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    ObservedGene,
    ObservedSite,
    natural_order,
    possible_bases,
)
from posology.domain.pharmacogenomics.matching import match_pairs
from posology.records.sources.genomics.pgx_tables import read_definition
from tests.builders.pharmacogenomics import DPYD, GENEX, dpyd, genex

X = read_definition(GENEX, {})
D = read_definition(DPYD, {})
ACTIVITY = {"Reference": 1.0, "HapB3": 0.5, "c.1129-5923C>G": 0.5, "*2A": 0.0, "c.2846A>T": 0.5}
ACTIVITY["*5"] = 1.0


def call(observed: ObservedGene, definition: GeneDefinition = X) -> GeneCall:
    return call_gene(definition, observed, ACTIVITY)


def test_reference_and_single_variants() -> None:
    assert call(genex()).diplotypes == ("*1/*1",)
    assert call(genex(p200="C/T")).diplotypes == ("*1/*3",)
    assert call(genex(p200="T/T")).diplotypes == ("*3/*3",)
    assert call(genex(p300="CAT/CATAT")).diplotypes == ("*1/*28",)


def test_unphased_bases_give_every_pair_that_fits_and_the_most_specific_first() -> None:
    found = call(genex(p100="A/G", p200="C/T"))
    assert found.diplotypes == ("*1/*4",)
    assert found.others == ("*2/*3",)
    assert found.possible == {("*1", "*4"), ("*2", "*3")}


def test_phase_decides_in_both_directions() -> None:
    assert call(genex(p100="A|G", p200="C|T")).possible == {("*1", "*4")}
    assert call(genex(p100="A|G", p200="T|C")).possible == {("*2", "*3")}
    assert call(genex(p100="A|G:1", p200="T|C:2")).possible == {("*1", "*4"), ("*2", "*3")}
    assert call(genex(p100="A|G:1", p200="T|C:1")).possible == {("*2", "*3")}


def test_ties_are_all_kept() -> None:
    missing = genex(p100="A/G", p200="", p400="G/A")
    found = call(missing)
    assert found.diplotypes == ("*1/*2",)
    tied = call(genex(p100="A/G", p200=""))
    assert tied.diplotypes == ("*1/*2", "*1/*4"), "*2's wobble at the reference does not count"


def test_iupac_letters_admit_each_of_their_bases() -> None:
    assert possible_bases("R") == {"A", "G"}
    assert possible_bases("CAT") == {"CAT"}
    assert call(genex(p100="A/G", p400="G/A")).diplotypes == ("*1/*2",)
    assert call(genex(p100="A/G", p400="G/G")).diplotypes == ("*1/*2",)
    assert call(genex(p400="G/A")).diplotypes == (), "A at 400 belongs to *2 alone"


def test_a_missing_position_is_no_call_and_hides_alleles() -> None:
    found = call(genex(p200=""))
    assert found.diplotypes == ("*1/*1",)
    assert found.missing == ("rs2",)
    assert found.not_excluded == ("*3",)
    assert ("*3", "*3") in found.possible
    assert ("*4", "*4") not in found.possible, "its other position is read and is reference"


def test_no_position_at_all_is_no_call() -> None:
    found = call(ObservedGene())
    assert (found.diplotypes, found.acting) == ((), ())
    assert found.notes == ("None of its 4 positions has a call.",)


def test_a_base_without_definition_is_never_taken_as_reference() -> None:
    found = call(genex(p200="C/G"))
    assert found.diplotypes == ()
    assert found.notes == ("An observed base is not in the definitions: rs2 C/G.",)
    found = call(genex(p400="A/A"))
    assert found.notes == ("No pair of defined alleles explains the observed bases.",)


def test_required_positions_and_priorities_of_the_table() -> None:
    exemptions = {
        "GENEX": {
            "requiredPositions": [400],
            "unphasedDiplotypePriorities": [
                {"id": "", "list": ["*1/*4", "*2/*3"], "pick": "*2/*3"}
            ],
        }
    }
    strict = read_definition(GENEX, exemptions)
    assert call(genex(p400=""), strict).notes == (
        "Positions that it cannot be called without are missing: rs4.",
    )
    picked = call(genex(p100="A/G", p200="C/T"), strict)
    assert picked.diplotypes == ("*2/*3",)
    assert "the more frequent one by the table's priorities" in picked.notes[0]
    assert call(genex(p100="A|G", p200="C|T"), strict).diplotypes == ("*1/*4",)


@pytest.mark.parametrize("gene", ["CYP2D6", "HLA-A", "HLA-B", "MT-RNR1"])
def test_genes_that_only_a_laboratory_can_call(gene: str) -> None:
    body = GENEX | {"gene": gene}
    found = call(genex(), read_definition(body, {}))
    assert found.diplotypes == ()
    assert found.notes == (f"{gene} is not called from variants: give the laboratory's result.",)


def test_slco1b1_is_read_from_its_variant_where_no_diplotype_fits() -> None:
    body = {**GENEX, "gene": "SLCO1B1"}
    body["variants"] = [dict(x) for x in GENEX["variants"]]
    body["variants"][3] |= {"rsid": "rs4149056", "ref": "T", "alts": ["C"]}
    body["namedAlleles"] = [
        {"name": "*1", "alleles": ["A", "C", "CAT", "T"], "reference": True},
        {"name": "*2", "alleles": ["G", None, None, "C"], "reference": False},
    ]
    observed = genex(p400="T/C")
    found = call(observed, read_definition(body, {}))
    assert found.diplotypes == ()
    assert found.acting == (("*1", "*5"),)
    assert found.notes == ("No diplotype fits; *1/*5 is inferred from rs4149056 alone.",)


def test_suballeles_are_reported_under_their_allele() -> None:
    body = GENEX | {"suballelesMap": {"*3": "*30"}}
    assert call(genex(p200="C/T"), read_definition(body, {})).diplotypes == ("*1/*30",)


def test_dpyd_on_known_strands_takes_the_lowest_of_each() -> None:
    found = call(dpyd(p97450058="C|T", p97082391="T|A", p97515839="C|T"), D)
    assert found.diplotypes == ("*5/[*2A + c.2846A>T]",)
    assert found.acting == (("*2A", "*5"),)
    single = call(dpyd(p97450058="C/T"), D)
    assert single.diplotypes == ("Reference/*2A",)
    assert single.acting == (("Reference", "*2A"),)


def test_dpyd_on_unknown_strands_takes_the_two_lowest() -> None:
    found = call(dpyd(p97450058="C/T", p97082391="T/A", p97515839="T/C"), D)
    assert found.diplotypes == ()
    assert found.components == ("*2A", "*5", "c.2846A>T")
    assert found.acting == (("*2A", "c.2846A>T"),)
    assert ("Reference", "*2A") in found.possible, "both may lie on one strand"
    twice = call(dpyd(p97450058="T/T", p97082391="T/A", p97515839="T/C"), D)
    assert twice.acting == (("*2A", "*2A"),)


def test_dpyd_phase_sets_give_every_arrangement_and_the_lowest_counts() -> None:
    found = call(dpyd(p97450058="C|T:1", p97082391="T|A:1", p97515839="T|C:2"), D)
    assert set(found.diplotypes) == {
        "Reference/[*2A + *5 + c.2846A>T]",
        "*5/[*2A + c.2846A>T]",
    }
    assert found.acting == (("Reference", "*2A"),)


@pytest.mark.parametrize(
    ("exon", "intron", "expected", "note"),
    [
        ("C/T", "G/C", "Reference/HapB3", ""),
        ("C/C", "G/C", "Reference/c.1129-5923C>G", ""),
        ("C/T", "C/C", "HapB3/c.1129-5923C>G", ""),
        ("T/T", "C/C", "HapB3/HapB3", ""),
        ("C/T", "G/G", "Reference/Reference", "is not counted as HapB3"),
        ("C/T", "", "Reference/HapB3", "is read from rs56038477 alone"),
        ("", "G/C", "Reference/c.1129-5923C>G", ""),
    ],
)
def test_hapb3_is_decided_by_its_intronic_variant(
    exon: str, intron: str, expected: str, note: str
) -> None:
    found = call(dpyd(p97573863=exon, p97579893=intron), D)
    assert found.diplotypes == (expected,)
    assert note in " ".join(found.notes)
    assert bool(note) == bool(found.notes)


@st.composite
def patients(draw: st.DrawFn, definition: GeneDefinition) -> ObservedGene:
    sites = {}
    for locus in definition.loci:
        if draw(st.integers(0, 5)) == 0:
            continue
        bases = st.sampled_from((locus.ref, locus.ref, *locus.alts))
        block = draw(st.sampled_from(("", "", "phased", "PS 1", "PS 2")))
        sites[locus.position] = ObservedSite((draw(bases), draw(bases)), block)
    return ObservedGene(sites)


@pytest.mark.parametrize("definition", [X, D], ids=["pairs", "lowest_activity"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_dropping_a_position_never_makes_a_call_more_certain(
    definition: GeneDefinition, data: st.DataObject
) -> None:
    full = data.draw(patients(definition))
    if not full.sites:
        return
    dropped = data.draw(st.sampled_from(sorted(full.sites)))
    less = ObservedGene({p: site for p, site in full.sites.items() if p != dropped})
    before, after = call(full, definition), call(less, definition)
    if before.acting and after.acting:
        assert before.possible <= after.possible
    assert set(before.missing) < set(after.missing)


@pytest.mark.parametrize("definition", [X, D], ids=["pairs", "lowest_activity"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_strands_and_order_never_change_a_call(
    definition: GeneDefinition, data: st.DataObject
) -> None:
    patient = data.draw(patients(definition))
    blocks = {site.phase_block for site in patient.sites.values()} - {""}
    turned = {block for block in sorted(blocks) if data.draw(st.booleans())}
    positions = data.draw(st.permutations(sorted(patient.sites)))
    other = {}
    for position in positions:
        site = patient.sites[position]
        swap = site.phase_block in turned or (not site.phase_block and data.draw(st.booleans()))
        alleles = site.alleles[::-1] if swap else site.alleles
        other[position] = ObservedSite(alleles, site.phase_block)
    assert call(patient, definition) == call(ObservedGene(other), definition)


def brute_force(observed: ObservedGene) -> set[tuple[str, str]]:
    """Every pair by listing both strands of every phase combination."""
    places = sorted(observed.sites)
    index = {locus.position: i for i, locus in enumerate(X.loci)}
    strands = [((), ())]
    for p in places:
        a, b = observed.sites[p].alleles
        strands = [
            ((*first, x), (*second, y)) for first, second in strands for x, y in {(a, b), (b, a)}
        ]
    pairs = set()
    for first, second in strands:
        for i, one in enumerate(X.alleles):
            for other in X.alleles[i:]:
                if all(
                    base in possible_bases(allele.bases[index[p]] or X.loci[index[p]].ref)
                    for allele, strand in ((one, first), (other, second))
                    for p, base in zip(places, strand, strict=True)
                ):
                    pairs.add((one.name, other.name))
    return pairs


@settings(max_examples=25, deadline=None)
@given(patient=patients(X))
def test_pairs_are_those_of_every_phase_combination(patient: ObservedGene) -> None:
    free = ObservedGene({p: ObservedSite(s.alleles) for p, s in patient.sites.items()})
    found = {(pair.first, pair.second) for pair in match_pairs(X, free)}
    assert found == (brute_force(free) if free.sites else set())


def test_names_are_sorted_by_their_numbers() -> None:
    assert sorted(["*10", "*2", "*1²", "Reference", "*2A"], key=natural_order) == [
        "Reference",
        "*1²",
        "*2",
        "*2A",
        "*10",
    ]


def test_an_undefined_base_hides_no_other_variant_where_variants_make_a_drug_toxic() -> None:
    """C/G where *2A is C/T: the position counts as missing, and *2A stays possible."""
    found = call(dpyd(p97450058="C/G", p97082391="T/A"), D)
    assert found.diplotypes == ("Reference/c.2846A>T",)
    assert found.missing == ("rs3918290 (C/G: in no definition)",)
    assert ("*2A", "c.2846A>T") in found.possible
    alone = call(dpyd(p97450058="C/G"), D)
    assert alone.possible == call(dpyd(p97450058=""), D).possible
    assert call(genex(p200="C/G")).diplotypes == (), "other genes are not called"
