"""pyOpenSSL's binding to OpenSSL, which it does not promise to keep, and which has no types."""

from __future__ import annotations

from typing import Any

from OpenSSL import _util

__all__ = ["ffi", "lib"]


ffi: Any = _util.ffi
lib: Any = _util.lib
