"""What came of reading a server's configuration again, where the other modules of a server look for it."""

from tlscomm.watching._reloadresult import ReloadResult

__all__ = ["ReloadResult"]
