"""What `posology serve` needs beyond the package itself."""

import importlib.util

from posology.errors import UserError, describe_install

_NEEDED = (
    "fastapi",
    "uvicorn",
    "python_multipart",
    "httpx",
    "sqlalchemy",
    "alembic",
    "jwt",
    "authlib",
)
_ALSO = ("cryptography", "structlog", "prometheus_client")


def require_packages() -> None:
    """UserError with the command that installs what is missing."""
    absent = [name for name in _NEEDED + _ALSO if importlib.util.find_spec(name) is None]
    if absent:
        raise UserError(
            f"posology serve: needs {', '.join(absent)}; install them with: "
            f"{describe_install('serve')}."
        )
