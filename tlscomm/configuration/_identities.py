"""Credentials from where a person says that they are: any number of them, their keys, and what opens them.

No user has to say which key and which pass phrase belong to what. A key is that of the certificate that it fits, and a
pass phrase that of whatever it opens, so their order does not matter, and a wrong one is named by what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential, loadCredential, loadPrivateKeys
from tlscomm.credentials._ordering import fits
from tlscomm.credentials._passphrasesources import Prompt, anyPassphrase
from tlscomm.failures import KeyMismatch, printable
from tlscomm.store import isStoreSource

__all__ = ["Identities", "loadIdentity"]


@dataclass(frozen=True, kw_only=True)
class Identities:
    """What options and endpoint strings say of our credentials.

    Attributes:
        identity: where each is: a file, or ``store:…``. The first is preferred.
        key: files with the private keys of those that have none.
        passphraseFile: files whose first line is a pass phrase.
        passphraseEnv: environment variables that hold one.
        passphraseFD: numbers of open files that one can be read from, or what reads them.
        prompt: asks a person where no place of a pass phrase is named.
        insecureAllowReadableKey: accept a private key that others can read.
    """

    identity: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    passphraseFile: tuple[str, ...] = ()
    passphraseEnv: tuple[str, ...] = ()
    passphraseFD: tuple[int | Prompt, ...] = ()
    prompt: Prompt | None = None
    insecureAllowReadableKey: bool = False

    @cached_property
    def passphrase(self) -> Prompt | None:
        """What answers with the pass phrase of anything that is named beside them, authorities among it."""
        return anyPassphrase(self.passphraseFile, self.passphraseEnv, self.passphraseFD, self.prompt)

    def load(self) -> tuple[Credential, ...]:
        """Return the credentials, in the order in which they are named.

        Raises:
            TLSFailure: one of them cannot be loaded, or a key fits none of them.
            ValueError: there is a key and no identity.
        """
        if self.key and not self.identity:
            raise ValueError("a key was named and no identity")
        load = partial(loadIdentity, passphrase=self.passphrase, insecureAllowReadableKey=self.insecureAllowReadableKey)
        if len(self.identity) == 1 and len(self.key) <= 1:
            return (load(self.identity[0], *self.key),)
        credentials = tuple(load(source) for source in self.identity)
        return self._withKeys(credentials) if self.key else credentials

    def _withKeys(self, credentials: tuple[Credential, ...]) -> tuple[Credential, ...]:
        held: list[PrivateKeyTypes] = []
        for source in self.key:
            keys = loadPrivateKeys(
                source, passphrase=self.passphrase, insecureAllowReadableKey=self.insecureAllowReadableKey
            )
            if not any(fits(credential.certificate, key) for credential in credentials for key in keys):
                raise KeyMismatch(f"the key in {printable(source)} fits none of the certificates")
            held.extend(keys)
        return tuple(_completed(credential, held) for credential in credentials)


def loadIdentity(
    source: str,
    key: str | None = None,
    passphrase: Callable[[str], bytes | None] | None = None,
    *,
    insecureAllowReadableKey: bool = False,
) -> Credential:
    """Load a credential from where a person said it is: a file, or ``store:…``."""
    load = partial(loadCredential, passphrase=passphrase, insecureAllowReadableKey=insecureAllowReadableKey)
    if not isStoreSource(source):
        return load(source, key=key)
    from tlscomm.store import loadFromStore

    credential = loadFromStore(source)
    if key is None:
        return credential
    certificate = credential.certificate.public_bytes(Encoding.DER)
    return replace(credential, privateKey=load(certificate, key=key).privateKey)


def _completed(credential: Credential, keys: list[PrivateKeyTypes]) -> Credential:
    if credential.privateKey is not None and fits(credential.certificate, credential.privateKey):
        return credential
    fitting = next((key for key in keys if fits(credential.certificate, key)), credential.privateKey)
    return replace(credential, privateKey=fitting)
