"""Certificate stores: a place with a name, where credentials are kept and found again by what they are.

A path says where a file is, and breaks when the certificate in it is renewed under another name. A store is asked for
"the certificate for gateway.example that is valid now", by every program of a user or of the machine. Programs for .NET
pick their certificates that way, out of ``X509Store(StoreName.My, StoreLocation.…)``, and on Linux the stores are the
same folders and files. The operating system's trusted roots are found here too.

**Not exportable** is a mark beside the file. tlscomm refuses to export a key that is marked, so a user does not hand it
on by mistake, as with the check box in the dialog of Windows. It does not protect from the user whose store it is, nor
from any program that this user runs: they can read the file, copy it, and use the key. .NET does not know the mark. A
key that its owner must not be able to copy belongs into a security module.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "LOCATIONS",
    "NAMES",
    "Search",
    "StoreContents",
    "StoreEntry",
    "X509Store",
    "isStoreSource",
    "loadFromStore",
    "rootsFromStore",
    "systemRoots",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.store._entry import StoreEntry
    from tlscomm.store._folder import LOCATIONS, NAMES
    from tlscomm.store._prefix import isStoreSource
    from tlscomm.store._search import Search
    from tlscomm.store._store import StoreContents, X509Store, loadFromStore, rootsFromStore
    from tlscomm.store._systemroots import systemRoots
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "LOCATIONS": "tlscomm.store._folder",
            "NAMES": "tlscomm.store._folder",
            "Search": "tlscomm.store._search",
            "StoreContents": "tlscomm.store._store",
            "StoreEntry": "tlscomm.store._entry",
            "X509Store": "tlscomm.store._store",
            "isStoreSource": "tlscomm.store._prefix",
            "loadFromStore": "tlscomm.store._store",
            "rootsFromStore": "tlscomm.store._store",
            "systemRoots": "tlscomm.store._systemroots",
        },
    )
