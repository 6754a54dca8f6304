"""A typical patient of a table: medians and most frequent values, so that it is no real person."""

import json
import statistics
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from posology.workflows.new.mapping import covariate_code
from posology.workflows.new.roles import Roles
from posology.workflows.new.table import Table


def typical_patient(
    table: Table, roles: Roles, stated: Mapping[str, Any] = MappingProxyType({})
) -> str:
    """A filled-in form for `posology recommend`, by the codes of the facts.

    stated: facts that differ from the typical, by code.
    """
    facts: dict[str, Any] = {}
    for column in roles.covariates:
        if column.kind == "number":
            median = statistics.median(table.numbers(column.name))
            facts[covariate_code(column)] = float(f"{median:.6g}")  # 0.15, not 0.15000000000000002
        elif column.kind in ("category", "sex", "code"):
            facts[covariate_code(column)] = table.values(column.name)[0]
    return json.dumps({"facts": {**facts, **stated}}, indent=2, ensure_ascii=False) + "\n"
