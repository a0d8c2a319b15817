"""A credential in every form, so that any program can be pointed at one of its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._export import PFX_KEYS
from tlscomm.failures import PassphraseRequired
from tlscomm.issuing._choices import FORMS, KEYED_FORMS, USUAL_FORMS
from tlscomm.x509 import _encoding
from tlscomm.x509._files import File

__all__ = ["Bundle", "endings", "filesOf"]

_ENDINGS = {"with-key": "-with-key.pem", "pfx-legacy": ".pfx"}


@dataclass(frozen=True, repr=False)
class Bundle:
    """What is written.

    Attributes:
        label: the friendly name in a PFX.
        certificate: the certificate.
        key: its private key; None where another side keeps it.
        chain: the intermediate certificates, which a peer is sent.
        roots: the authority's root, as far as it is known, which goes where certificates are imported from.
        passphrase: what opens the private key; empty for none.
    """

    label: str
    certificate: x509.Certificate
    key: PrivateKeyTypes | None
    chain: tuple[x509.Certificate, ...] = ()
    roots: tuple[x509.Certificate, ...] = ()
    passphrase: bytes = b""


def filesOf(stem: str, bundle: Bundle, forms: Iterable[str] = USUAL_FORMS) -> dict[str, File]:
    """Return the files of a credential by their names.

    What has no place for it is left out: private keys where there is none, PKCS#12 for ML-DSA.

    Args:
        stem: the beginning of the names.
        bundle: what is in them.
        forms: which of the `FORMS`.

    Raises:
        PassphraseRequired: the old form of PFX has none without a pass phrase.
    """
    chosen = [form for form in FORMS if form in set(forms) and _isPossible(form, bundle)]
    return {
        f"{stem}{_ENDINGS.get(form, f'.{form}')}": File(_content(form, bundle), isSecret=form in KEYED_FORMS)
        for form in chosen
    }


def endings() -> Sequence[str]:
    """Return how the names of files end that a credential may have."""
    return [_ENDINGS.get(form, f".{form}") for form in FORMS]


def _isPossible(form: str, bundle: Bundle) -> bool:
    if form not in KEYED_FORMS:
        return True
    return bundle.key is not None and (not form.startswith("pfx") or isinstance(bundle.key, PFX_KEYS))


def _content(form: str, bundle: Bundle) -> bytes:
    # PEM holds what a peer is sent, so the root is not in it; the others are imported, and where to is better found.
    sent = _encoding.pem((bundle.certificate, *bundle.chain))
    above = (*bundle.chain, *bundle.roots)
    if form == "cer":
        return _encoding.cer(bundle.certificate)
    if form == "p7b":
        return _encoding.p7b((bundle.certificate, *above))
    if form == "pem" or bundle.key is None:
        return sent
    if form.startswith("pfx"):
        return _pfx(bundle, above, isOld=form == "pfx-legacy")
    private = _encoding.keyPEM(bundle.key, bundle.passphrase)
    return private if form == "key" else sent + private


def _pfx(bundle: Bundle, above: Iterable[x509.Certificate], *, isOld: bool) -> bytes:
    if isOld and not bundle.passphrase:
        raise PassphraseRequired("the old form of a PFX is encrypted always")
    key: pkcs12.PKCS12PrivateKeyTypes = bundle.key  # type: ignore[assignment]
    return _encoding.pfx(bundle.label, key, bundle.certificate, above, bundle.passphrase, legacy=isOld)
