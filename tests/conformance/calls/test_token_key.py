"""The tester's key, and its tokens read by another library."""

import json
import stat
from pathlib import Path

import jwt
import pytest

from posology.conformance.calls.token_abuse import abuses
from posology.conformance.calls.token_key import TokenKey, make_key, read_key, valid_token
from posology.errors import UserError

AUDIENCE = "https://dose.example/cds-services"


def test_a_token_verifies_with_the_key_set_that_was_written(tmp_path: Path) -> None:
    made = make_key(tmp_path / "new")
    key = read_key(tmp_path / "new" / "conform-key.pem")
    keys = jwt.PyJWKSet.from_json((tmp_path / "new" / "jwks.json").read_text())
    token = valid_token(key, AUDIENCE)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "ES384", "typ": "JWT", "kid": made.jwk["kid"]}
    claims = jwt.decode(token, keys[header["kid"]].key, ["ES384"], audience=AUDIENCE)
    assert claims["iss"] == "https://conform.posology.example"
    assert claims["exp"] - claims["iat"] == 300


def test_the_private_key_is_for_its_owner_only_and_never_replaced(tmp_path: Path) -> None:
    make_key(tmp_path)
    path = tmp_path / "conform-key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "d" not in json.loads((tmp_path / "jwks.json").read_text())["keys"][0]
    with pytest.raises(UserError, match=r"conform-key.pem: is there already"):
        make_key(tmp_path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("x")
    with pytest.raises(UserError, match=r"a.pem: holds no private key"):
        read_key(tmp_path / "a.pem")


def test_no_abuse_verifies(key: TokenKey) -> None:
    """But for those that lack a claim or name another: their signature is right."""
    right = {"jwt-aud", "jwt-path", "jwt-exp", "jwt-nbf", "cds-195", "jwt-claims", "jwt-replay"}
    public = jwt.PyJWK(key.jwk).key
    options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False}
    for abuse in abuses(key, AUDIENCE, f"{AUDIENCE}/other"):
        try:
            jwt.decode(abuse.token, public, ["ES384"], options=options)
        except jwt.PyJWTError:
            assert abuse.statement not in right, abuse.purpose
        else:
            assert abuse.statement in right, abuse.purpose
