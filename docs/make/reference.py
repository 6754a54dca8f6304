"""Write the reference pages from the code: `python -m docs.make.reference`.

docs/commands.md, docs/python.md and docs/errors.md; a test compares them with what this makes.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import typer
from typer.main import get_command

import posology
from posology import errors
from posology.cli import DEFECT, app
from posology.learners.methods import METHODS
from posology.service import errors as refusals

DOCS = Path(__file__).parents[1]
ASKED = "--help"
"""An option of every command, which the pages leave out."""
MODULE = re.compile(r"\b[a-z_]+(\.[a-z_]+)*\.(?=[A-Z])")
"""Where a type of a signature is defined, which differs between versions of Python."""
WRITTEN = "Written from the code by `python -m docs.make.reference`."
PUBLIC = (
    "These are the public names of `posology`. All that a command does is one call; results have "
    "`summary()`, `rows`, `to_frame()` and, where there is a page, `report(path)`. Modules of the "
    "[rooms](architecture.md) may be imported too, and may change."
)
EXITS = (
    (0, "It did what was asked."),
    (1, "`posology conform`: the service that was tested breaks a statement."),
    (
        2,
        "You can mend it (`UserError`): one paragraph names the file, the field, the value and "
        "the mend. Also what `posology doctor` found to mend.",
    ),
    (
        3,
        "It worked, and the answer is no: a source lost more than 5 % of its rows (`ingest`), the "
        "gate is closed (`evaluate --gate`, `update`), or a monitor raised an alarm (`monitor`).",
    ),
    (DEFECT, "A defect of posology: nobody expected this. Please report it with what is printed."),
)
EXCEPTIONS = """## Exceptions

All of `posology.errors`; what you can mend is a `UserError`, which is a `ValueError` too.
"""
REFUSALS = """## Refusals of the service

The shape of the reply, and the others: [service](service.md#what-it-answers).
"""


def first_paragraph(text: str | None) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def cell(text: str) -> str:
    """A text as the cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def option_rows(command: typer.core.TyperCommand) -> Iterator[str]:
    """One row for each argument and option."""
    for parameter in command.params:
        if ASKED in parameter.opts:
            continue
        is_option = parameter.param_type_name == "option"
        name = ", ".join(f"`{o}`" for o in parameter.opts) if is_option else f"`{parameter.name}`"
        default = parameter.default
        shown = default is not None and not callable(default) and default not in ((), False, "")
        ends = f" Default: `{default}`." if shown and is_option else ""
        yield f"| {name} | {cell(getattr(parameter, 'help', None) or '')}{ends} |"


def command_section(words: str, command: typer.core.TyperCommand) -> Iterator[str]:
    """A command, or a group and its commands."""
    yield f"## `{words}`\n\n{first_paragraph(command.help)}\n"
    if rows := list(option_rows(command)):
        yield table("option | meaning", rows)
    for name, inner in getattr(command, "commands", {}).items():
        yield from command_section(f"{words} {name}", inner)


def commands_page() -> str:
    """Every command and its options."""
    group = get_command(app)
    parts = [
        "# Commands\n",
        f"{WRITTEN} Every command has `--help`; an argument comes before the options.\n",
    ]
    for name, command in sorted(group.commands.items()):
        parts += command_section(f"posology {name}", command)
    methods = [f"| `{name}` | {cell(method.description)} |" for name, method in METHODS.items()]
    parts.append("## Methods of `posology fit --method`\n")
    parts.append(table("method | what it is", methods))
    return "\n".join(parts)


def python_page() -> str:
    """Every public name, with its signature and the first paragraph of its docstring."""
    parts = ["# Python\n", f"{WRITTEN} {PUBLIC}\n"]
    for name in posology.__all__:
        named = getattr(importlib.import_module("posology"), name)
        signature = MODULE.sub("", str(inspect.signature(named)))
        signature = re.sub(r"<function (\w+) at 0x\w+>", r"\1", signature)
        parts.append(f"## `{name}`\n\n```text\n{name}{signature}\n```\n")
        parts.append(f"{first_paragraph(named.__doc__)}\n")
    return "\n".join(parts)


def errors_page() -> str:
    """Exit codes, exceptions, and the refusals of the service."""
    codes = [f"| {code} | {meaning} |" for code, meaning in EXITS]
    kinds = [f"| `{kind.__name__}` | {first_paragraph(kind.__doc__)} |" for kind in classes(errors)]
    refused = [
        f"| {kind.status} | `{kind.code}` | {first_paragraph(kind.__doc__)} |"
        for kind in classes(refusals)
        if kind is not refusals.ServiceError
    ]
    parts = ["# Errors\n", f"{WRITTEN}\n", "## Exit codes\n", table("code | meaning", codes)]
    parts += [EXCEPTIONS, table("exception | meaning", kinds)]
    parts += [REFUSALS, table("status | code | meaning", refused)]
    return "\n".join(parts)


def classes(module: ModuleType) -> list[type]:
    """The classes that a module defines, in order."""
    return [
        c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__
    ]


def table(heading: str, rows: Iterable[str]) -> str:
    """Rows under a heading whose cells are separated like theirs."""
    columns = heading.count(" | ") + 1
    return "\n".join([f"| {heading} |", "|" + "---|" * columns, *rows, ""])


PAGES = {"commands.md": commands_page, "python.md": python_page, "errors.md": errors_page}


def main() -> None:
    """Write every page."""
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
