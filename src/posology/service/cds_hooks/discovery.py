"""The services that clients find: one for each model, under one id at all three hooks.

One id means that a later hook's cards replace the earlier ones (CDS Hooks 2.0, update stale
guidance).
"""

from collections.abc import Sequence
from typing import Any

from posology.domain.codes import display_name
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr
from posology.service.cds_hooks.queries import Query
from posology.service.cds_hooks.requests import HOOK_VERSION, HOOKS

SPECIFICATION = "2.0.1"
"""Version of CDS Hooks that is implemented; stated as 3.0 wants it."""
_WHEN = {
    "patient-view": deferred("Advises when a record is opened."),
    "order-select": deferred("Advises when a drug is selected."),
    "order-sign": deferred("Advises when orders are signed."),
}


def describe_services(
    name: str, study: Study, queries: Sequence[Query], is_demo: bool
) -> list[dict[str, Any]]:
    """The entries of one model, one for each hook."""
    lists = ", ".join(query.words for query in queries if query.is_needed)
    named = [
        display_name(code, study.names).partition(", ")[0]
        for code in study.profile.required_for_advice
    ]
    facts = ", ".join(dict.fromkeys(named))
    demo = f"{tr('Demonstration, not for the care of patients.')} " if is_demo else ""
    not_for = (
        f" {tr('Not for: {patients}').format(patients=study.not_for)}" if study.not_for else ""
    )
    return [
        {
            "hook": hook,
            "id": name,
            "title": study.title,
            "description": f"{demo}{study.purpose} {tr(_WHEN[hook])}{not_for}",
            "usageRequirements": _requirements(lists, facts),
            "prefetch": {query.key: query.template for query in queries},
            "version": SPECIFICATION,
            "hookVersion": HOOK_VERSION,
        }
        for hook in HOOKS
    ]


def _requirements(lists: str, facts: str) -> str:
    """When it answers 412, for who integrates it."""
    needed = f"where it cannot read {lists} (a search that finds nothing is read)" if lists else ""
    if facts:
        needed += f"{', or ' if lists else ''}where one of {facts} is not known"
    return f"Answers 412 {needed}, by prefetch or fhirAuthorization."
