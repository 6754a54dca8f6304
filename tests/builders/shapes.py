"""Checks of types and shapes for jaxtyping's import hook that leave the tests their time.

jaxtyping binds the arguments of each call by its signature, to show them in an error, and checks
each argument twice, before and after the call: a quarter of all processor time of the tests. Here
each argument is checked before the call and the result after it, once, and only functions with
shapes in their annotations remember sizes of axes.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, ForwardRef, get_args

from jaxtyping import AbstractArray, jaxtyped


def check_shapes(function: Any = None, *, typechecker: Callable) -> Any:
    """What stands in for `jaxtyping.jaxtyped`, which the hook puts on all functions and classes."""
    if function is None:
        return functools.partial(check_shapes, typechecker=typechecker)
    if inspect.isclass(function):
        if is_dataclass(function) and "__init__" in vars(function):
            made = check_shapes(function.__init__, typechecker=typechecker)
            function.__init__ = made  # type: ignore[misc]
        return function
    parts = [part for hint in inspect.get_annotations(function).values() for part in _parts(hint)]
    if _is_lazy(function) or any(isinstance(part, str | ForwardRef) for part in parts):
        return jaxtyped(function, typechecker=typechecker)
    checked = typechecker(function)
    if not any(inspect.isclass(part) and issubclass(part, AbstractArray) for part in parts):
        return checked

    @functools.wraps(function)
    def with_sizes(*args: Any, **kwargs: Any) -> Any:
        with jaxtyped("context"):
            return checked(*args, **kwargs)

    return with_sizes


def _parts(hint: Any) -> list[Any]:
    """An annotation, with what its brackets hold."""
    inner = hint if isinstance(hint, list) else get_args(hint)
    return [hint, *(part for each in inner for part in _parts(each))]


def _is_lazy(function: Callable) -> bool:
    """Whether it runs later than it is called: jaxtyping knows what to check when."""
    return (
        inspect.isgeneratorfunction(function)
        or inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
    )
