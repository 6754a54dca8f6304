"""The checks of types and shapes that all tests run under find what jaxtyping's own would."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from beartype import beartype
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int, TypeCheckError

from posology.domain.scaling import standardize
from tests.builders.shapes import check_shapes

VIOLATION = (BeartypeCallHintViolation, TypeCheckError)
Row = Float[np.ndarray, " decision"]


@check_shapes(typechecker=beartype)
@dataclass(frozen=True, slots=True)
class Pair:
    first: Row
    second: Row


class Names:  # known only after its methods are made: jaxtyping checks them loosely
    @check_shapes(typechecker=beartype)
    def itself(self, other: "Names") -> "Names":
        return other


@check_shapes(typechecker=beartype)
def add(a: Row, b: Row | None, answer: np.ndarray) -> Row:
    return answer


@check_shapes(typechecker=beartype)
def outer(a: Row, b: Row) -> Row:
    add(b, None, b)  # its axis has another size there
    return a


@check_shapes(typechecker=beartype)
def double(number: int) -> int:
    return number * 2 if number < 10 else None  # type: ignore[return-value]


@check_shapes(typechecker=beartype)
def rows(a: list[Int[np.ndarray, "decision 2"]]) -> Iterator[int]:
    yield len(a)


TWO, THREE, WHOLE = np.zeros(2), np.zeros(3), np.zeros(2, np.int64)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Pair(TWO, THREE),
        lambda: Pair(first=TWO, second=WHOLE),
        lambda: add(TWO, THREE, TWO),
        lambda: add(TWO, b=np.zeros((2, 1)), answer=TWO),
        lambda: add(TWO, TWO, THREE),
        lambda: add(TWO, None, WHOLE),
        lambda: outer(TWO, THREE),
        lambda: double("2"),
        lambda: double(10),
        lambda: rows([TWO]),
        lambda: standardize(np.zeros((2, 3)), THREE, TWO),
    ],
)
def test_what_breaks_an_annotation_is_found(call: Callable) -> None:
    with pytest.raises(VIOLATION):
        call()


def test_what_keeps_them_passes() -> None:
    assert Pair(TWO, TWO).second is TWO
    assert add(TWO, b=None, answer=TWO) is TWO
    assert outer(TWO, TWO) is TWO
    assert double(2) == 4
    names = Names()
    assert names.itself(names) is names
    assert list(rows([np.zeros((3, 2), np.int64)])) == [1]
