"""What readers of credentials have in common: what they are asked for, what they give back, and how they refuse.

Readers differ by format alone. They take apart what others have written and may have written to do harm, so each of
them is given a limit on the work that it may cost, and each turns whatever goes wrong into a failure with a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._cost import Unsupported, UnsupportedCipher, Work
from tlscomm.credentials._passphrase import Passphrase, PassphraseSource
from tlscomm.credentials._sources import Source, SourceLike, nameOf, readSource
from tlscomm.credentials._trustsettings import TrustSettings
from tlscomm.failures import Damaged, TLSFailure, UnknownFormat, printable
from tlscomm.x509._der import Malformed, TooMuch
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = [
    "CONVERT_PFX",
    "Contents",
    "FoundList",
    "Passphrase",
    "PassphraseSource",
    "Reader",
    "Reading",
    "Source",
    "SourceLike",
    "certificatesOf",
    "listOf",
    "nameOf",
    "named",
    "placeOf",
    "readSource",
]

#: A bundle of every authority in the world has a few hundred certificates.
_MOST_CERTIFICATES = 1000
_MOST_PARTS = 2 * _MOST_CERTIFICATES
#: A private key is checked when it is loaded, which takes milliseconds, and four seconds for RSA of 8192 bits.
_MOST_KEYS = 16
_MOST_BYTES_OF_KEYS = 20_000


@dataclass(frozen=True, repr=False)
class FoundList:
    """A revocation list, which is not read yet.

    Attributes:
        content: the list, DER.
        place: what it is called, and where it is in its source.
    """

    content: bytes
    place: str


@dataclass(frozen=True, repr=False)
class Contents:
    """What one source holds.

    Attributes:
        certificates: all of them, in the order of the source.
        keys: the private keys, where they were wanted.
        friendlyNames: what a PFX calls a certificate.
        holdsKey: whether there is a private key, wanted or not.
        lists: the revocation lists, where they were wanted.
        places: where in the source each certificate is, and which one of it.
        unreadable: a failure for each certificate that cannot be read, where those were to be passed over.
        trustSettings: what is said of the trust in a certificate, once for each block that says something.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    keys: tuple[PrivateKeyTypes, ...] = ()
    friendlyNames: dict[x509.Certificate, str] = field(default_factory=dict)
    holdsKey: bool = False
    lists: tuple[FoundList, ...] = ()
    places: dict[x509.Certificate, str] = field(default_factory=dict)
    unreadable: tuple[TLSFailure, ...] = ()
    trustSettings: tuple[tuple[x509.Certificate, TrustSettings], ...] = ()

    def __add__(self, other: Contents) -> Contents:
        return Contents(
            self.certificates + other.certificates,
            self.keys + other.keys,
            {**other.friendlyNames, **self.friendlyNames},
            self.holdsKey or other.holdsKey,
            self.lists + other.lists,
            {**other.places, **self.places},
            self.unreadable + other.unreadable,
            self.trustSettings + other.trustSettings,
        )


class Reading:
    """One source being read: what is wanted of it, and how much work it may still cost.

    Args:
        passphrase: what opens it, asked for only when it is needed.
        wantKeys: whether private keys are read. Without, none that lies by itself is decrypted.
        wantLists: whether revocation lists are read, and nothing else.
        isLenient: whether certificates that cannot be read are noted and passed over.

    Attributes:
        work: what may be spent on deriving keys.
    """

    def __init__(
        self, passphrase: Passphrase, *, wantKeys: bool, wantLists: bool = False, isLenient: bool = False
    ) -> None:
        self.passphrase = passphrase
        self.wantKeys = wantKeys
        self.wantLists = wantLists
        self.isLenient = isLenient
        self.work = Work()
        self._counts = _Counts()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count what is read in the block as if nothing had been read of it before."""
        before = self._counts
        self._counts = replace(before)
        try:
            yield
        except BaseException:
            self._counts = before
            raise

    def countPart(self) -> None:
        """Take note of another part of the source, whatever it is.

        Raises:
            Unsupported: there are too many.
        """
        self._counts.parts += 1
        if self._counts.parts > _MOST_PARTS:
            raise Unsupported(f"it has more than {_MOST_PARTS} parts")

    @property
    def unreadable(self) -> tuple[TLSFailure, ...]:
        """What was passed over so far."""
        return self._counts.unreadable

    def passOver(self, problem: TLSFailure) -> None:
        """Take note of what cannot be read.

        Raises:
            TLSFailure: nothing is to be passed over.
        """
        if not self.isLenient:
            raise problem
        self._counts.unreadable += (problem,)

    def countCertificate(self) -> int:
        """Take note of another certificate, and return which one of the source it is, the first being 1.

        Raises:
            Unsupported: there are too many.
        """
        self._counts.certificates += 1
        if self._counts.certificates > _MOST_CERTIFICATES:
            raise Unsupported(f"it holds more than {_MOST_CERTIFICATES} certificates")
        return self._counts.certificates

    def countKey(self, size: int) -> None:
        """Take note of another private key, of so many bytes.

        Raises:
            Unsupported: there are too many, or they are too large together.
        """
        self._counts.keys += 1
        self._counts.bytesOfKeys += size
        if self._counts.keys > _MOST_KEYS:
            raise Unsupported(f"it holds more than {_MOST_KEYS} private keys")
        if self._counts.bytesOfKeys > _MOST_BYTES_OF_KEYS:
            raise Unsupported(f"its private keys have more than {_MOST_BYTES_OF_KEYS} bytes")


@dataclass
class _Counts:
    parts: int = 0
    certificates: int = 0
    keys: int = 0
    bytesOfKeys: int = 0
    unreadable: tuple[TLSFailure, ...] = ()


_COMPARE = (
    "Fetch or export the file again, and compare its checksum with that of the original. If they agree, the "
    "certificate is not encoded as RFC 5280 says, and has to be issued again by another program."
)
CONVERT_KEY = "Convert it: openssl pkey -provider legacy -provider default -in FILE -aes256 -out NEW.pem."
CONVERT_PFX = "Convert it: openssl pkcs12 -legacy -in FILE -aes256 -out NEW.pem."

_WRITE_ANEW = (
    "Write it anew, as PEM or as PKCS#12 with AES-256 and the usual number of rounds, with the program that made it; "
    "openssl pkcs12 -legacy, openssl pkey and keytool -importkeystore convert most files."
)

Reader: TypeAlias = Callable[[Source, Reading], Contents]
"""Reads a source. Raises nothing but `TLSFailure`, and what a callable raises that is asked for a pass phrase."""


@contextmanager
def named(what: str, conversion: str = CONVERT_KEY) -> Iterator[None]:
    """Turn what a reader finds wrong into a failure.

    Args:
        what: what is being read, and of which source.
        conversion: what to do where its cipher is not supported, as a sentence.

    Raises:
        Damaged: its structure is broken.
        UnknownFormat: it is of a kind that is not supported, or costs too much.
    """
    try:
        yield
    except UnsupportedCipher as refusal:
        raise UnknownFormat(f"{what}: {refusal}", remedy=conversion) from None
    except (Unsupported, TooMuch) as refusal:
        raise UnknownFormat(f"{what}: {refusal}", remedy=_WRITE_ANEW) from None
    except Malformed as problem:
        raise Damaged(f"{what}: {problem}") from None
    except BaseException as broken:
        # What cryptography's Rust code raises where it did not expect something. It has no public name.
        if type(broken).__name__ != "PanicException":
            raise
        raise Damaged(what) from None


def certificatesOf(ders: Iterable[bytes], source: Source, reading: Reading) -> Contents:
    """Load certificates.

    Args:
        ders: each a certificate and nothing else.
        source: what they are in.
        reading: counts them, and says whether what cannot be read is passed over.

    Raises:
        Damaged: one of them cannot be loaded; it is named with its place.
        Unsupported: there are too many.
    """
    contents = Contents()
    for der in ders:
        where = placeOf(reading.countCertificate(), source)
        try:
            certificate = x509.load_der_x509_certificate(der)
        except REJECTIONS as error:
            detail = f"{where}: {unreadableText(error)}"
            reading.passOver(Damaged(detail, evidence=(printable(str(error)),), remedy=_COMPARE))
        else:
            contents += Contents(certificates=(certificate,), places={certificate: where})
    return contents


def listOf(der: bytes, source: Source, reading: Reading) -> FoundList:
    """Note one revocation list.

    Args:
        der: the list and nothing else.
        source: what it is in.
        reading: counts it.

    Raises:
        Unsupported: there are too many parts.
    """
    reading.countPart()
    return FoundList(der, f"the revocation list in {source.name}{f' ({source.place})' if source.place else ''}")


def placeOf(number: int, source: Source) -> str:
    """Say which certificate of a source it is, and where."""
    return f"certificate {number} of {source.name}{f' ({source.place})' if source.place else ''}"
