"""An address of this machine at which nobody listens."""

import socket


def free_address() -> str:
    """A base URL with a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/fhir"
