"""Memory: the peak of this process, and sizes as people write them, such as 2GB."""

import ctypes
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from posology.errors import RecordError

READER_MEMORY = 1_000_000_000
"""Bytes that reading a table or a report may use before it spills to disk (own choice)."""
_LIMIT: ContextVar[int] = ContextVar("memory_limit", default=READER_MEMORY)
_UNITS = {"": 1, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_SIZE = re.compile(r" *([0-9]{1,12}(?:\.[0-9]{1,6})?) *([KMGT]?)(I?)B *", re.IGNORECASE)


def peak_memory() -> int:
    """The most memory that this process has had so far, resident, in bytes.

    Linux keeps it for the program that runs; elsewhere it is that of `getrusage`, which a program
    inherits from the one that started it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, ValueError, IndexError):
        return _peak_of_windows() if sys.platform == "win32" else _peak_of_getrusage()


def _peak_of_getrusage() -> int:
    import resource  # Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _peak_of_windows() -> int:
    """PeakWorkingSetSize of PROCESS_MEMORY_COUNTERS (psapi.h); 0 if it cannot be read."""
    counters = (ctypes.c_size_t * 10)()  # two 32-bit numbers, then eight sizes
    windows = getattr(ctypes, "windll", None)
    if windows is None:
        return 0
    current = windows.kernel32.GetCurrentProcess
    current.restype = ctypes.c_void_p
    size = ctypes.c_ulong(ctypes.sizeof(ctypes.c_size_t) * 8 + 8)
    read = windows.psapi.GetProcessMemoryInfo
    read.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong)
    if not read(current(), ctypes.byref(counters), size):
        return 0
    return int.from_bytes(bytes(counters)[8 : 8 + ctypes.sizeof(ctypes.c_size_t)], sys.byteorder)


@contextmanager
def memory_limit(size: int) -> Generator[None]:
    """Within the block, `reader_memory` is at most `size` bytes."""
    token = _LIMIT.set(size)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def reader_memory() -> str:
    """The memory limit of a DuckDB that reads beside the engine."""
    return f"{min(READER_MEMORY, _LIMIT.get())}B"


def parse_size(text: str) -> int:
    """Bytes of a size such as 500MB, 2GB or 2GiB; RecordError if it is none."""
    match = _SIZE.fullmatch(text)
    size = 0.0
    if match is not None:
        number, unit, binary = match.groups()
        factor = _UNITS[unit.upper()]
        factor = 1024 ** list(_UNITS).index(unit.upper()) if binary else factor
        size = float(number) * factor
    if size < 1:
        raise RecordError(f"memory {text!r} is not a size: write 2GB or 500MB")
    return int(size)


def format_size(size: float) -> str:
    """Bytes in words, such as 1.2 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
