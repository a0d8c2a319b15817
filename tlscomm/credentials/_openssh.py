"""Private keys as OpenSSH writes them, in its PROTOCOL.key format.

They are the same keys, and people who have one try it. `cryptography` reads them; encrypted ones only where the package
``bcrypt`` is installed, and at whatever cost the file asks for.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib.util import find_spec

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from tlscomm.credentials._contents import Contents, Reading, named
from tlscomm.credentials._cost import MOST_ROUNDS, Unsupported
from tlscomm.credentials._passphrase import Secret
from tlscomm.credentials._sources import Source
from tlscomm.failures import Damaged, UnknownFormat, printable
from tlscomm.x509._der import Malformed
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["readOpenSSH"]

_MAGIC = b"openssh-key-v1\0"
_ENVELOPE = b"-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n"

#: An RSA key of 8192 bits, with its public half and a comment.
_LARGEST = 8000
#: One round of bcrypt takes as long as so many of a hash function.
_ROUNDS_OF_BCRYPT = 25_000


def readOpenSSH(source: Source, reading: Reading) -> Contents:
    """Read an OpenSSH private key.

    Args:
        source: what its armour encloses, decoded.
        reading: what is wanted.

    Raises:
        Damaged: it is broken.
        UnknownFormat: it is of a kind that is not supported, encrypted and ``bcrypt`` is missing, or costs too much.
        PassphraseRequired, PassphraseWrong: no pass phrase opens it.
    """
    if not reading.wantKeys:
        return Contents(holdsKey=True)
    what = f"the OpenSSH private key in {source.name}"
    with named(what):
        rounds = _revalidation(source)
        reading.countKey(len(source.content))
        if rounds is None:
            key = _loaded(source, None)
            if key is None:
                raise Damaged(what)
            return Contents(keys=(key,), holdsKey=True)
        if find_spec("bcrypt") is None:
            # A pass phrase that opens nothing is not asked for.
            raise UnknownFormat(
                f"{what} is encrypted, which takes the package bcrypt to open, and that is missing",
                remedy="Install bcrypt (pip install bcrypt), or write the key anew: ssh-keygen -p -m PEM -f FILE.",
            )
        for secret in reading.passphrase.candidates(source.name):
            # An empty pass phrase means none at all, and no program can encrypt with it.
            if not secret.value:
                continue
            reading.work.spend(rounds)
            key = _loaded(source, secret)
            if key is not None:
                return Contents(keys=(key,), holdsKey=True)
    raise reading.passphrase.refusal(source.name)


def _revalidation(source: Source) -> int | None:
    """Return what it costs to decrypt a key, in rounds of a hash function, or None where it is not encrypted."""
    if not source.content.startswith(_MAGIC):
        raise Malformed("it does not begin as such a key does")
    if (size := len(source.content)) > _LARGEST:
        raise Unsupported(f"it has {size} bytes; keys are read up to {_LARGEST}")
    fields = _fields(source.content, len(_MAGIC))
    cipher, derivation, options = next(fields), next(fields), next(fields)
    if cipher == b"none":
        return None
    if derivation != b"bcrypt":
        raise Unsupported(f"its key derivation {printable(derivation.decode('latin-1'))} is not supported")
    salt = next(_fields(options, 0))
    cost = int.from_bytes(options[4 + len(salt) : 8 + len(salt)], "big") * _ROUNDS_OF_BCRYPT
    if cost > MOST_ROUNDS:
        raise Unsupported(f"bcrypt costs as much as {cost} rounds; at most {MOST_ROUNDS} are worked out")
    return cost


def _fields(content: bytes, offset: int) -> Iterator[bytes]:
    while True:
        start = offset + 4
        end = start + int.from_bytes(content[offset:start], "big")
        if end > len(content) or start > len(content):
            raise Malformed("it is cut off")
        yield content[start:end]
        offset = end


def _loaded(source: Source, secret: Secret | None) -> PrivateKeyTypes | None:
    text = Secret(_ENVELOPE % base64.b64encode(source.content))
    try:
        return load_ssh_private_key(text.value, None if secret is None else secret.value)
    except (UnsupportedAlgorithm, NotImplementedError) as error:
        # The latter for a point of a curve that is written in another form than the uncompressed one.
        raise Unsupported(f"it is not supported ({unreadableText(error)})") from None
    except REJECTIONS:
        return None
