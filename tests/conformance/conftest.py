import pytest

from posology.conformance.calls.token_key import TokenKey, new_key


@pytest.fixture(scope="session")
def key() -> TokenKey:
    return new_key()
