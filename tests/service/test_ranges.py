"""A slip of the keyboard in the settings is refused before anything is started."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from posology.errors import UserError
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.deployment import open_deployment
from posology.service.ranges import check_ranges
from posology.service.settings import (
    Limits,
    ModelSettings,
    OpenIdSettings,
    Retention,
    Settings,
)
from posology.service.smart.settings import SmartServer, SmartSettings

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
        (
            replace(SETTINGS, cds_hooks=CdsHooksSettings(clock_skew=math.nan)),
            "cds_hooks, clock_skew: is nan",
        ),
        (replace(SETTINGS, models=()), "Setting models: is empty; name one with its folder"),
        (replace(SETTINGS, models=SETTINGS.models * 2), "2 have the name 'm'; name each once"),
        (
            replace(SETTINGS, models=(ModelSettings("a/b", Path("m")),)),
            "the name 'a/b' cannot stand in an address",
        ),
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


def test_a_client_s_secret_is_missed_at_the_start_not_at_a_sign_in(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    openid = OpenIdSettings("https://sso.example", "posology", file)
    smart = SmartSettings((SmartServer("ehr", "https://ehr.example", "posology", file),))
    for settings in (replace(SETTINGS, openid=openid), replace(SETTINGS, smart=smart)):
        for content, problem in ((None, "No such file"), ("", "is empty; write the client's")):
            file.unlink(missing_ok=True) if content is None else file.write_text(content)
            with pytest.raises(UserError, match=rf"client_secret_file .*secret: .*{problem}"):
                open_deployment(replace(settings, folder=tmp_path / "service"))
    assert not (tmp_path / "service").exists()
