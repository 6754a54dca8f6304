"""`posology serve`: the service, and what its administrators need beside it."""

from typing import Any

import typer
from typer.core import TyperGroup

from posology.cli.serve.admin import audit, erase, make_keys, make_token, sign
from posology.cli.serve.run import run


class _ServeGroup(TyperGroup):
    """`posology serve MODEL` is short for `posology serve run MODEL`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` first where no other command is named."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


serve = typer.Typer(
    name="serve",
    help="Serve a model to clinicians and other systems: `posology serve MODEL`.",
    cls=_ServeGroup,
)
serve.command()(run)
serve.command()(sign)
serve.command("make-keys")(make_keys)
serve.command("make-token")(make_token)
serve.command()(erase)
serve.add_typer(audit)
