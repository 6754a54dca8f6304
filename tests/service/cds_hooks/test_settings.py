"""The settings in the docs are read as they stand."""

import re
from pathlib import Path

import pytest

from posology.errors import UserError
from posology.service.settings import Settings, read_settings
from posology.service.tokens.identify import OPEN, identify_anybody, identify_system

PAGE = Path(__file__).parents[3] / "docs" / "cds-hooks.md"


def _documented(tmp_path: Path) -> Settings:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "settings.toml"
    path.write_text(block, encoding="utf-8")
    return read_settings(path)


def test_the_docs_show_settings_that_are_read(tmp_path: Path) -> None:
    settings = _documented(tmp_path)
    assert settings.cds_hooks.issuers[0].issuer == "https://ehr.hospital.example"
    assert settings.cds_hooks.require_token
    assert settings.smart.servers[0].roles == ("clinician",)


def test_a_key_file_that_is_not_there_is_named_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ehr-jwks.json: cannot be read \(No such file or direct"):
        identify_system(_documented(tmp_path))


def test_only_a_demonstration_on_this_machine_answers_without_tokens(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    text = "models = []\n{}\n[cds_hooks]\nrequire_token = false\n"
    path.write_text(text.format(""))
    with pytest.raises(UserError, match="cds_hooks, require_token: is false; only a demo"):
        identify_system(read_settings(path))
    path.write_text(text.format('is_demo = true\nhost = "0.0.0.0"'))
    with pytest.raises(UserError, match="may answer without tokens"):
        identify_system(read_settings(path))
    path.write_text(text.format("is_demo = true"))
    assert identify_system(read_settings(path)) is identify_anybody
    assert OPEN.roles == ("clinician",)
