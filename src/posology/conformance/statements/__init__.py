"""Every statement a service is held to, by id, in the order of the report."""

from posology.conformance.statements import cds_hooks, invariants, own, tokens
from posology.conformance.statements.statement import Level, Statement

STATEMENTS = {row.id: row for row in (*cds_hooks.ROWS, *invariants.ROWS, *tokens.ROWS, *own.ROWS)}

__all__ = ["STATEMENTS", "Level", "Statement"]
