"""Every command that writes: its words, and what it needs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fuzz import world

Writer = Callable[[Path, Path, Path], list]
"""The words of a command, from the base, a folder with inputs, and the folder to write to."""
PACK: dict[str, Any] = {
    **{"format": 1, "name": "made-up", "title": "Made up", "version": "1", "licence": "CC0-1.0"},
    **{"date": "2026-01-01", "expires": "2126-01-01", "source": "made up", "reviewed_by": "x"},
    **{"drugs": {"drug A": ["A"]}, "facts": {"age": {"age": True}}},
    "rules": [
        {
            **{"name": "a", "kind": "contraindication", "effect": "forbid", "drugs": ["drug A"]},
            **{"any_of": [{"fact": "age", "below": 18}], "meaning": "Not for children."},
            **{"strength": "contraindicated", "source": "made up"},
        }
    ],
}
"""A knowledge pack that nobody has sealed."""
CALLS = "gene\tdiplotype\tphenotype\tactivity score\nGENEX\t*1/*1\tNormal Metabolizer\t\n"


def write_pgx_tables(folder: Path) -> None:
    """One gene of one position, and one recommendation."""
    (folder / "phenotype").mkdir(parents=True)
    site = {"chromosome": "chr10", "position": 100, "rsid": "rs1", "ref": "A", "alts": ["G"]}
    alleles = [
        {"name": "*1", "alleles": ["A"], "reference": True},
        {"name": "*2", "alleles": ["G"], "reference": False},
    ]
    dated = {"gene": "GENEX", "version": "2025-11-05-00-25"}
    gene = {**dated, "genomeBuild": "GRCh38.p14", "variants": [site], "namedAlleles": alleles}
    (folder / "GENEX_translation.json").write_text(json.dumps(gene))
    normal = ["Normal Metabolizer", "Normal Metabolizer", None]
    diplotypes = dict.fromkeys(("*1/*1", "*1/*2", "*2/*2"), normal)
    functions = {"haplotype_function": {"*1": "Normal", "*2": "Normal"}, "activity_values": {}}
    phenotype = {**dated, **functions, "diplotypes": diplotypes}
    (folder / "phenotype" / "GENEX.json").write_text(json.dumps(phenotype))
    rule = {
        **{"lookupkey": {"GENEX": "Normal Metabolizer"}, "implications": {"GENEX": "none"}},
        **{"recommendation": "Use as usual.", "classification": "Strong"},
        **{"population": "general", "comments": "n/a"},
    }
    drug = {
        **{"drug": "examplidol", "drugid": "RxNorm:111", "guideline": "GENEX", "pmids": ["1"]},
        **{"url": "https://example.org", "cpic_version": "v1.20.0", "recommendations": [rule]},
    }
    (folder / "recommendations_2022-09.json").write_text(json.dumps([drug]))


def _ingest(_base: Path, inputs: Path, out: Path) -> list:
    (inputs / "labs.csv").write_bytes(world.to_csv(world.labs()))
    (inputs / "labs.toml").write_text(world.MAPPING)
    return ["ingest", "--table", inputs / "labs.toml", "--out", out / "d", "--json", out / "a.json"]


def _simulate(_base: Path, _inputs: Path, out: Path) -> list:
    return ["simulate", "clinic", "--patients", "20", "--out", out / "d", "--json", out / "a.json"]


def _seal(_base: Path, _inputs: Path, out: Path) -> list:
    (out / "pack.json").write_text(json.dumps(PACK))
    return ["safety", "seal", out / "pack.json", "--json", out / "a.json"]


def _check_pack(_base: Path, inputs: Path, out: Path) -> list:
    from posology.cohorts.study.packs.read import checksum

    (inputs / "pack.json").write_text(json.dumps({**PACK, "sha256": checksum(PACK)}))
    return ["safety", "check", inputs / "pack.json", "--json", out / "a.json"]


def _sign(base: Path, _inputs: Path, out: Path) -> list:
    shutil.copytree(base / "signed", out / "m")
    return ["serve", "sign", out / "m", "--key", base / "signer.key"]


def _export(base: Path, inputs: Path, out: Path) -> list:
    shutil.copytree(base / "store", inputs / "store")
    return ["serve", "audit", "export", "--out", out / "a.ndjson", "--folder", inputs / "store"]


def _pgx(base: Path, inputs: Path, out: Path) -> list:
    (inputs / "calls.tsv").write_text(CALLS)
    words = ["pgx", "--tables", base / "tables", "--calls", inputs / "calls.tsv"]
    return [*words, "--drug", "examplidol", "--json", out / "a.json"]


def _tune(base: Path, _inputs: Path, out: Path) -> list:
    words = ["tune", base / "cohort", "--out", out / "d", "--trials", "2", "--first-epochs", "1"]
    return [*words, "--json", out / "a.json"]


def _pretrain(base: Path, _inputs: Path, out: Path) -> list:
    words = ["pretrain", base / "clinic_cohort", "--recipe", base / "recipe.json"]
    return [*words, "--epochs", "1", "--out", out / "w.safetensors", "--json", out / "a.json"]


def _make_token(_base: Path, _inputs: Path, out: Path) -> list:
    words = ["serve", "make-token", "--issuer", "https://ehr.example", "--for", "https://a.example"]
    return [*words, "--key", out / "caller.pem"]


FOLDERS: dict[str, Writer] = {
    "ingest": _ingest,
    "simulate": _simulate,
    "cohort": lambda b, _i, o: ["cohort", "iwpc", b / "events", "--out", o / "d"],
    "fit": lambda b, _i, o: [
        *("fit", b / "cohort", "--method", "logistic", "--out", o / "d", "--json", o / "a.json")
    ],
    "tune": _tune,
}
"""Commands that make a folder, `d`."""
FILES: dict[str, Writer] = {
    "template": lambda b, _i, o: ["template", b / "model", "--out", o / "a.json"],
    "recommend": lambda b, _i, o: [
        *("recommend", b / "model", "--patient", b / "patient.json"),
        *("--json", o / "a.json", "--html", o / "a.html"),
    ],
    "facts": lambda b, _i, o: [
        *("facts", b / "model", "--json", o / "a.json", "--xml", o / "a.xml")
    ],
    "evaluate": lambda b, _i, o: [
        *("evaluate", b / "model", b / "cohort", "--report", o / "a.html", "--json", o / "a.json")
    ],
    "predict": lambda b, _i, o: [
        *("predict", b / "clinic_model", b / "clinic_cohort", "--json", o / "a.ndjson")
    ],
    "pretrain": _pretrain,
    "pgx": _pgx,
    "safety check": _check_pack,
    "safety seal": _seal,
    "conform --make-key": lambda _b, _i, o: ["conform", "--make-key", o / "keys"],
    "serve sign": _sign,
    "serve make-keys": lambda _b, _i, o: ["serve", "make-keys", "--out", o / "k"],
    "serve make-token": _make_token,
    "serve audit export": _export,
}
"""Commands that write files."""
SLOW: dict[str, Writer] = {
    "effect": lambda b, _i, o: [
        *("effect", b / "clinic_cohort", "--report", o / "a.html", "--json", o / "a.json")
    ],
    "demo": lambda _b, _i, o: ["demo", "--out", o / "d", "--json", o / "a.json"],
}
"""Commands that take minutes; killed early, and not run again."""
UNREACHED: dict[str, Writer] = {
    "conform": lambda _b, _i, o: [
        *("conform", "http://127.0.0.1:9", "--json", o / "a.json", "--html", o / "a.html")
    ],
}
"""Commands that need a service, of which there is none; only their targets are tried."""
PAIRS = {
    "serve make-keys": ("k.key", "k.pub"),
    "conform --make-key": ("keys/conform-key.pem", "keys/jwks.json"),
}
"""The private and public file of commands that refuse to write over them."""
