"""Settings are safe by default, and what is wrong in their file is named."""

from pathlib import Path

import pytest

from posology.errors import UserError
from posology.service import keys
from posology.service.keys import KEY, read_key, read_or_make_key
from posology.service.settings import ModelSettings, Settings, read_settings


def test_every_default_is_the_safe_one() -> None:
    settings = Settings((ModelSettings("m", Path("m")),))
    assert settings.host == "127.0.0.1"
    assert settings.url == "http://127.0.0.1:8000"
    assert settings.sign_in
    assert settings.cds_hooks.require_token
    assert not settings.allow_unsigned
    assert not settings.store_patient_ids


def test_a_settings_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "service.toml"
    path.write_text(
        'public_url = "https://p.example/"\ntrusted_keys = ["a.pub"]\n'
        '[[models]]\nname = "warfarin"\nfolder = "m"\n[limits]\nseconds = 3\n'
    )
    settings = read_settings(path)
    assert settings.models == (ModelSettings("warfarin", Path("m")),)
    assert settings.trusted_keys == (Path("a.pub"),)
    assert settings.url == "https://p.example"
    assert settings.limits.seconds == 3.0


MODELS = '[[models]]\nname = "m"\nfolder = "m"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("host = ", "cannot be read as TOML"),
        ("", "lacks models"),
        ('hots = "x"', "unknown key hots; did you mean host?"),
        ("port = true", "port: is True; write a value of type int"),
        ('port = "80"', "port: is '80'; write a value of type int"),
        (
            f"{MODELS}colour = 1",
            r"models\[0\]: unknown key colour; it knows challenger, folder, name, version",
        ),
        ("limits = 3", "limits: is 3; write a table of keys and values"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "service.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=problem):
        read_settings(path)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text("00ff")
    with pytest.raises(UserError, match=r"service\.key: holds 2 bytes, not 32; restore it"):
        read_key(tmp_path / KEY)
    (tmp_path / KEY).write_text("no")
    with pytest.raises(UserError, match="is no key of a service"):
        read_key(tmp_path / KEY)


def test_of_two_services_that_start_first_both_have_the_key_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def second(path: Path, content: bytes) -> None:
        path.write_text("ab" * 32)  # the other service was quicker
        raise FileExistsError(path)

    monkeypatch.setattr(keys, "write_secret", second)
    assert read_or_make_key(tmp_path / KEY) == read_key(tmp_path / KEY) == bytes.fromhex("ab" * 32)
