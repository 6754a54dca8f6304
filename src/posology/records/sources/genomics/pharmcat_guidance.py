"""CPIC's recommendations as PharmCAT carries them: `prescribing_guidance.json`.

The layout is that of PharmCAT 3 (`reporter/model/pgkb`): guidelines, each with its drugs, and
recommendations with the results of genes that they are for.
"""

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

from posology.domain.pharmacogenomics.guidance import Guidance

Json = dict[str, Any]
PRESCRIBING_GUIDANCE = "prescribing_guidance.json"
_SOURCE, _KIND = "CPIC", "Guideline Annotation"
"""Of other sources (DPWG, FDA) neither the strength nor the words of results are CPIC's."""
_TAG = re.compile(r"<[^>]*>")


def read_prescribing_guidance(body: Json, rxnorm: Mapping[str, str]) -> list[Guidance]:
    """The recommendations of CPIC's guidelines, one for each drug and each result of genes.

    Recommendations without a result to look up are left out: they are for nobody in particular.

    Args:
        rxnorm: RxNorm ingredient by name of the drug, for this layout has none.
    """
    version = str(body.get("version") or "")
    return [
        rule
        for package in body["guidelines"]
        if _is_of_cpic(package["guideline"])
        for rule in _of_package(package, version, rxnorm)
    ]


def _is_of_cpic(guideline: Json) -> bool:
    return guideline.get("source") == _SOURCE and guideline.get("objCls") == _KIND


def _of_package(package: Json, version: str, rxnorm: Mapping[str, str]) -> Iterator[Guidance]:
    guideline = package["guideline"]
    for one in package.get("recommendations") or ():
        chemicals = one.get("relatedChemicals") or guideline["relatedChemicals"]
        drugs = [str(chemical["name"]).strip().lower() for chemical in chemicals]
        for drug in drugs:
            for lookup in one.get("lookupKey") or ():
                if lookup:
                    yield Guidance(
                        drug,
                        rxnorm.get(drug, ""),
                        tuple((str(gene), _key(value)) for gene, value in lookup.items()),
                        str(one.get("population") or "general").strip(),
                        _plain(one["text"]["html"]),
                        str((one.get("classification") or {}).get("term") or "").strip(),
                        "; ".join(_plain(text) for text in one.get("implications") or ()),
                        "",
                        str(guideline["name"]),
                        _citation(package),
                        version,
                    )


def _key(value: object) -> str:
    """A phenotype or score as it is; alleles with their counts as a diplotype."""
    if not isinstance(value, dict):
        return str(value)
    return "/".join(name for name, count in value.items() for _ in range(int(count)))


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())


def _citation(package: Json) -> str:
    url = str(package["guideline"].get("url") or package.get("url") or "")
    numbers = [str(x["pmid"]) for x in package.get("citations") or () if x.get("pmid")]
    return "; ".join(part for part in (url, *(f"PMID {n}" for n in numbers[-1:])) if part)
