"""The names of `import posology`: few, lazy, and known to type checkers."""

import ast
from pathlib import Path

import pytest

import posology

STUB = Path(posology.__file__).with_suffix(".pyi")


def test_there_are_at_most_twenty_public_names() -> None:
    assert len(posology.__all__) <= 20
    assert posology.__all__ == sorted(posology.__all__)
    assert set(posology.__all__) <= set(dir(posology))


@pytest.mark.parametrize("name", posology.__all__)
def test_each_public_name_is_a_documented_callable(name: str) -> None:
    value = getattr(posology, name)
    assert callable(value)
    assert value.__doc__


def test_type_checkers_see_the_modules_that_are_imported_lazily() -> None:
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}
    assert seen == vars(posology)["_MODULES"]
    assert set(seen) == set(posology.__all__)
    assert STUB.with_name("py.typed").exists()


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    name = "ask"
    with pytest.raises(AttributeError, match=r"posology has no 'ask'; it has NetworkSettings, "):
        getattr(posology, name)
