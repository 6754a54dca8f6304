"""One line of JSON for each request and each change: no address, body, patient or caller in it."""

import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

import structlog


def make_log(file: TextIO | None = None) -> Any:
    """A logger of this service alone, to standard error by default."""
    return structlog.wrap_logger(
        structlog.WriteLogger(file or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),  # INFO
    )


def describe_defect(error: BaseException) -> dict[str, Any]:
    """Class and places of an exception; never its text, which may hold what a caller sent."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": places[-12:]}
