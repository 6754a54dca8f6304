"""Are the packages that posology requires here, in versions it accepts; which extras are?"""

import importlib.metadata as metadata
from collections.abc import Iterator

from packaging.requirements import Requirement

from posology.errors import describe_install
from posology.workflows.doctor.check import GOOD, NOTE, PROBLEM, Check
from posology.workflows.doctor.sizes import check_sizes

USES = {
    "simulators": "simulators as Gymnasium environments",
    "demo": "posology demo: the warfarin patients",
    "serve": "posology serve: pages, CDS Hooks, API",
    "boosting": "LightGBM as a baseline and member of stacks",
    "excel": "spreadsheets as tables",
    "imaging": "DICOM and other pictures",
    "onnx": "a model of your own that makes vectors of images",
    "cloud": "events and cohorts by URL",
    "postgres": "an OMOP database, or tables inside one",
    "spark": "ingest on a cluster",
    "trials": "files of published trials",
    "longitudinal": "a published trial with visits over years",
    "econml": "EconML's learners to compare with",
}
"""What each extra is for. An extra without an entry is listed by its name."""
_INSTALL = {"trials": "pip install --no-deps lifelines causallib"}
"""How to install an extra otherwise: only the data of these two are read, and what they depend on
would replace pandas by an older one."""


def check_packages() -> Iterator[Check]:
    """Every required package, the size of all, then every extra."""
    requirements = [Requirement(text) for text in metadata.requires("posology") or ()]
    required = [
        one for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})
    ]
    wrong = [problem for one in required if (problem := _missing(one))]
    yield Check("packages", GOOD, f"posology {metadata.version('posology')}.")
    if wrong:
        yield Check(
            "packages",
            PROBLEM,
            f"Required: {', '.join(wrong)}.",
            "Run pip install . in a clone again, or pip install FILE.whl with a wheel.",
        )
    else:
        yield Check("packages", GOOD, f"All {len(required)} required packages are installed.")
    yield check_sizes()
    named = metadata.metadata("posology").get_all("Provides-Extra") or []
    for extra in sorted(named, key=lambda name: (*USES, name).index(name)):
        yield _check_extra(extra, [one for one in requirements if _belongs_to(one, extra)])


def _belongs_to(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return (
        marker is not None
        and marker.evaluate({"extra": extra})
        and not marker.evaluate({"extra": ""})
    )


def _check_extra(extra: str, requirements: list[Requirement]) -> Check:
    use = USES.get(extra, "")
    install = _INSTALL.get(extra, describe_install(extra))
    wrong = [problem for one in requirements if (problem := _missing(one))]
    if not wrong:
        return Check("extras", GOOD, f"{extra}: installed ({use}).")
    return Check(
        "extras",
        NOTE,
        f"{extra}: not installed ({use}). Missing: {', '.join(wrong)}.",
        f"For that: {install}.",
    )


def _missing(requirement: Requirement) -> str:
    """What is wrong with one package; empty if nothing."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return str(requirement.name) + str(requirement.specifier)
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name}{requirement.specifier} (installed: {version})"
    deeper = [
        problem
        for inner in metadata.requires(requirement.name) or ()
        if requirement.extras
        and any(_belongs_to(one := Requirement(inner), extra) for extra in requirement.extras)
        and (problem := _missing(one))
    ]
    return ", ".join(deeper)
