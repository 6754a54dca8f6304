"""How much disk the installed packages take."""

import importlib.metadata as metadata
from pathlib import Path

from posology.workflows.doctor.check import GOOD, Check

SHOWN = 6
"""Packages that are named, the largest first (our choice)."""


def check_sizes() -> Check:
    """The size of all packages of this environment, and the largest of them."""
    sizes = {one.name: package_bytes(one) for one in metadata.distributions()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:SHOWN]
    named = ", ".join(f"{name} {_megabytes(sizes[name])}" for name in largest)
    return Check(
        "packages",
        GOOD,
        f"{len(sizes)} packages are installed here, {_megabytes(sum(sizes.values()))} MB; the "
        f"largest: {named}.",
    )


def package_bytes(package: metadata.Distribution) -> int:
    """Bytes of a package's files, compiled ones included, as its own list has them."""
    return sum(_file_bytes(file) for file in package.files or ())


def _file_bytes(file: metadata.PackagePath) -> int:
    if file.size is not None:
        return file.size
    try:
        return Path(file.locate()).stat().st_size  # compiled after the list was made
    except OSError:
        return 0


def _megabytes(count: int) -> str:
    return f"{count / 2**20:,.0f}"
