"""Is this machine fit: Python, processors, memory, disk, accelerator, the tables' engine?"""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from posology.workflows.doctor.check import GOOD, NOTE, PROBLEM, Check

_GB = 1 << 30
LEAST_MEMORY, LEAST_DISK = 4, 5
"""GB below which fits and ingests of usual size are at risk; our choice (docs/scale.md)."""


def check_machine(folder: Path) -> Iterator[Check]:
    """Python, processors, memory, free disk where `folder` is, accelerator, engine.

    Args:
        folder: where results will be written; it exists.
    """
    yield Check(
        "machine",
        GOOD,
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"{_processors()} processor cores for this process.",
    )
    yield _memory()
    free = shutil.disk_usage(folder).free / _GB
    text = f"{free:.0f} GB are free where {folder.absolute()} is."
    mend = "An ingest of 20 million events needs about 5 GB; choose a larger disk with --out."
    yield Check("machine", GOOD, text) if free >= LEAST_DISK else Check("machine", NOTE, text, mend)
    yield _accelerator()
    yield _engine()


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _memory() -> Check:
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GB
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return Check("machine", NOTE, "The size of the memory is not known on this system.")
    text = f"{size:.0f} GB of memory."
    mend = "Give ingest and cohort a limit with --memory, such as --memory 1GB."
    return (
        Check("machine", GOOD, text) if size >= LEAST_MEMORY else Check("machine", NOTE, text, mend)
    )


def _accelerator() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check(
            "machine",
            PROBLEM,
            f"PyTorch cannot be imported ({error}).",
            'Run pip install "torch>=2.6" '
            "--index-url https://download.pytorch.org/whl/cpu for a machine without a GPU.",
        )
    if torch.cuda.is_available():
        return Check(
            "machine",
            GOOD,
            f"PyTorch {torch.__version__} uses {torch.cuda.get_device_name(0)}.",
        )
    return Check(
        "machine",
        GOOD,
        f"PyTorch {torch.__version__} on the processor; no GPU is there, and none is needed.",
    )


def _engine() -> Check:
    from posology.records.io.engine import connect

    try:
        connect().raw_sql("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever the engine says is the finding
        return Check(
            "machine",
            PROBLEM,
            f"DuckDB, which ingests and selects, does not start ({error}).",
            'Run pip install --force-reinstall "ibis-framework[duckdb]".',
        )
    return Check("machine", GOOD, "DuckDB, which ingests and selects, starts.")
