"""A slip of the keyboard in the settings is refused before anything is started."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from posology.errors import UserError
from posology.service.deployment import open_deployment
from posology.service.ranges import check_ranges
from posology.service.settings import Limits, ModelSettings, Retention, Settings

SETTINGS = Settings(models=(ModelSettings("m", Path("m")),))


def test_the_defaults_are_inside_their_ranges() -> None:
    check_ranges(SETTINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (replace(SETTINGS, workers=1_000_000), "workers: is 1000000; write a number from 0 to 64"),
        (replace(SETTINGS, workers=-1), "workers: is -1"),
        (replace(SETTINGS, threads=0), "threads: is 0; write a number from 1 to 64"),
        (replace(SETTINGS, port=70_000), "port: is 70000; write a number from 0 to 65535"),
        (replace(SETTINGS, limits=Limits(depth=10**6)), "limits, depth: is 1000000"),
        (replace(SETTINGS, limits=Limits(seconds=math.nan)), "limits, seconds: is nan"),
        (replace(SETTINGS, limits=Limits(seconds=0.0)), "limits, seconds: is 0.0"),
        (replace(SETTINGS, limits=Limits(waiting=-1)), "limits, waiting: is -1"),
        (replace(SETTINGS, limits=Limits(body=0)), "limits, body: is 0"),
        (replace(SETTINGS, public_url="ftp://x"), "public_url: is 'ftp://x'; write the address"),
        (replace(SETTINGS, retention=Retention(patients=-5)), "retention, patients: is -5"),
    ],
)
def test_a_number_outside_its_range_is_named(settings: Settings, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_ranges(settings)


def test_a_million_workers_start_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "service"
    with pytest.raises(UserError, match="workers"):
        open_deployment(replace(SETTINGS, workers=1_000_000, folder=folder))
    assert not folder.exists()
