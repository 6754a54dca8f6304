"""Each nonce is used once, also where two services keep it at the same moment."""

from pathlib import Path

import pytest
from sqlalchemy import Connection

from posology.service.store import nonces, open_store


def test_a_nonce_is_new_once(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", b"k" * 32)
    try:
        uses = [store.write_now(nonces.use_nonce, "n", 20.0, 10.0) for _ in range(2)]
        assert uses == [True, False]
    finally:
        store.close()


def test_of_two_services_that_keep_a_nonce_at_once_one_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both looked before either wrote; the second failed with IntegrityError, a defect."""
    store = open_store(f"sqlite:///{tmp_path / 'store.sqlite'}", b"k" * 32)

    def sees_nothing(_connection: Connection, _key: str) -> bool:
        return False

    try:
        store.write_now(nonces.use_nonce, "n", 20.0, 10.0)
        monkeypatch.setattr(nonces, "is_kept", sees_nothing)
        assert store.write_now(nonces.use_nonce, "n", 20.0, 10.0) is False
    finally:
        store.close()
