import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is slow; that is no fault of what is tested. Everybody gets the same examples, so
# that a change is judged by what it changed: look for new ones by --hypothesis-profile=search.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Test data that lies beside the project; tests that need it skip where it is absent."""
    places = (Path(os.environ.get("POSOLOGY_SHARED", "")), Path(__file__).parents[2] / "shared")
    for place in places:
        if place.is_dir() and place.name == "shared":
            return place
    pytest.skip("no ../shared beside the project: its data are needed here")
