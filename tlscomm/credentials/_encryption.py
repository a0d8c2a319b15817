"""Which encryption with a pass phrase something has, told and weighed before it is opened."""

from __future__ import annotations

from tlscomm.credentials._oldencryption import OldEncryption
from tlscomm.credentials._pbes2 import PBES2, unsupportedCipher
from tlscomm.x509._der import Element, Malformed

__all__ = ["encryptionOf"]

_PBES2 = "1.2.840.113549.1.5.13"


def encryptionOf(algorithm: Element) -> PBES2 | OldEncryption:
    """Read how something is encrypted.

    Args:
        algorithm: the AlgorithmIdentifier.

    Raises:
        Malformed: it is none.
        Unsupported: it is not known here, or costs too much.
    """
    identifier, parameters = algorithm.algorithm()
    if parameters is None:
        raise Malformed("the encryption has no parameters")
    if identifier == _PBES2:
        return PBES2(parameters)
    if (old := OldEncryption.of(algorithm)) is not None:
        return old
    raise unsupportedCipher(identifier)
