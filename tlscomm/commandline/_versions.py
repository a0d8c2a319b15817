"""What tlscomm is running on, as a report of a fault needs it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from tlscomm.commandline._printing import say, table

__all__ = ["sayVersions"]

_PACKAGES = ("Twisted", "pyOpenSSL", "cryptography", "service-identity", "click", "rich", "prometheus_client", "h2")


def sayVersions() -> None:
    """Say the versions of Python, of OpenSSL and of the packages that are there."""
    from OpenSSL.SSL import OPENSSL_VERSION, OpenSSL_version

    rows = [("Python", platform.python_version()), ("OpenSSL", OpenSSL_version(OPENSSL_VERSION).decode())]
    say(table([*rows, *((name, _version(name)) for name in _PACKAGES), ("System", platform.platform())]))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
