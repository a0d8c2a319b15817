"""Certificates and private keys as PEM, in any order (RFC 7468, and RFC 1421 for the encryption of old OpenSSL).

The text is cut into its blocks here, because `cryptography` reads one key or a list of certificates and says neither
what else there is nor which block is broken. What a block encloses is then told by its content, as everything is:
authorities put a P7B into the armour of a certificate, and programs a PKCS#8 key into that of an RSA key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tlscomm._dataclasses import dataclass
from tlscomm.credentials._binary import readBinary, readersFor
from tlscomm.credentials._contents import Contents, Reading, named
from tlscomm.credentials._cost import Unsupported, UnsupportedCipher
from tlscomm.credentials._openssh import readOpenSSH
from tlscomm.credentials._passphrase import Secret
from tlscomm.credentials._sources import Source
from tlscomm.credentials._structure import structureOf
from tlscomm.credentials._trustsettings import trustSettings
from tlscomm.credentials._unsupportedformats import UnsupportedFormat, blockCalled
from tlscomm.failures import Damaged, UnknownFormat, printable
from tlscomm.x509._der import Malformed
from tlscomm.x509._unreadable import REJECTIONS, unreadableText

__all__ = ["isPEM", "readPEM"]

_BEGIN = b"-----BEGIN "
_END = b"-----END "
_DASHES = b"-----"
_LONGEST_LABEL = 64

_OPENSSH = "OPENSSH PRIVATE KEY"

_TRUSTED = "TRUSTED CERTIFICATE"

#: What must be readable. Any other block is passed over when it is something else.
_CREDENTIALS = frozenset(
    {
        *("CERTIFICATE", "X509 CERTIFICATE", _TRUSTED, "PKCS7", "PKCS #7 SIGNED DATA", "CMS", "PKCS12"),
        *("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"),
        _OPENSSH,
    }
)

#: The same where revocation lists are wanted.
_LISTS = frozenset({"X509 CRL", "CRL", "PKCS7", "PKCS #7 SIGNED DATA", "CMS"})

#: The ciphers of "DEK-Info" that cryptography 50 decrypts, with the size of their initial value, which it does not
#: compare: where there is less it panics.
_OLD_CIPHERS = {"AES-128-CBC": 16, "AES-256-CBC": 16, "DES-EDE3-CBC": 8}
_OLD_KEY = b"-----BEGIN %s-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: %s,%s\n\n%s\n-----END %s-----\n"
_OLD_LABELS = frozenset({"RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"})
_LARGEST_OLD_KEY = 6000

_HEXADECIMAL = re.compile("[0-9A-Fa-f]*")

#: White space, and what stands around each line of a text in a program, a Makefile or a list of JSON.
_NOISE = b" \t\r\n\v\f\"'\\,"

#: OpenSSL writes it before what comes out of a PFX.
_FRIENDLY_NAME = re.compile(rb"^[ \t]+friendlyName: (.{1,1000}?)\r?$", re.MULTILINE)
_WANTED = "Name a file with a block that begins with -----BEGIN CERTIFICATE-----, or with a private key."

#: How much of the text before a block is looked at.
_LONGEST_PREAMBLE = 4096


def isPEM(content: bytes) -> bool:
    return _BEGIN in content


def readPEM(source: Source, reading: Reading) -> tuple[Contents, int]:
    """Read every certificate and, where they are wanted, every private key of a PEM file.

    Blocks of other kinds (parameters, public keys, comments between blocks) are passed over, and so are those that a
    comment's sign takes out of the file.

    Returns:
        What it holds, and where the last block ends.

    Raises:
        Damaged: a block is cut off or broken.
        UnknownFormat: no block is a certificate or a key, or one is of a kind or encrypted in a way that is not
            supported.
        PassphraseRequired, PassphraseWrong: a key is encrypted.
    """
    contents, end = Contents(), 0
    others: dict[UnsupportedFormat, None] = {}
    for block in _blocks(source, reading):
        end = block.end
        try:
            held = _read(block, replace(source, place=f"line {block.line}"), reading)
        except Damaged as problem:
            reading.passOver(problem)
            continue
        if held is None:
            others[block.called] = None
        else:
            contents += held
    isNothing = not (contents.certificates or contents.holdsKey or contents.lists or reading.unreadable)
    if others and isNothing and not reading.wantLists:
        called = printable(", ".join(other.what for other in others), 1000)
        raise UnknownFormat(f"{source.name} is {called}", remedy=next(iter(others)).step)
    return contents, end


@dataclass(frozen=True, repr=False)
class _Block:
    label: str
    text: bytes
    preamble: bytes
    line: int
    end: int

    @property
    def called(self) -> UnsupportedFormat:
        return blockCalled(self.label) or UnsupportedFormat(f"a PEM file with {self.label or 'nothing'}", _WANTED)

    @property
    def body(self) -> bytes:
        start = self.text.find(_DASHES, len(_BEGIN)) + len(_DASHES)
        return self.text[start : self.text.rfind(_END)]

    @property
    def encryption(self) -> tuple[str, str] | None:
        """Cipher and initial value of RFC 1421's header, both empty where the header is there and does not say."""
        lines = [line.strip() for line in self.body.splitlines()[:10]]
        if not any(line.startswith(b"Proc-Type:") and b"ENCRYPTED" in line for line in lines):
            return None
        for line in lines:
            if line.startswith(b"DEK-Info:"):
                cipher, _, iv = line[len(b"DEK-Info:") :].decode("latin-1").partition(",")
                return cipher.strip(), iv.strip()
        return "", ""

    @property
    def friendlyName(self) -> str | None:
        names = _FRIENDLY_NAME.findall(self.preamble[-_LONGEST_PREAMBLE:])
        return names[-1].decode("utf-8", "replace").strip() if names else None

    def inside(self, source: Source) -> Source | None:
        """Return what it encloses, or None where it is not base64."""
        # Only RFC 1421's header has colons.
        lines = (line for line in self.body.splitlines() if b":" not in line)
        try:
            return replace(source, content=base64.b64decode(b"".join(lines).translate(None, _NOISE), validate=True))
        except binascii.Error:
            return None


def _blocks(source: Source, reading: Reading) -> Iterator[_Block]:
    find, after, line = source.content.find, 0, 1
    start = find(_BEGIN)
    while start >= 0:
        # Each search ends where the next one begins, or ends it all: the time is linear in the content.
        following = find(_BEGIN, start + len(_BEGIN))
        end = find(_END, start, None if following < 0 else following)
        labelEnd = find(_DASHES, start + len(_BEGIN), end)
        label = source.content[start + len(_BEGIN) : labelEnd][:_LONGEST_LABEL]
        last = _END + label + _DASHES
        line += source.content.count(b"\n", after, start)
        if end < 0 or labelEnd < 0 or not source.content.startswith(last, end):
            problem = Damaged(f"{source.name}: the PEM block at line {line} (byte {start}) has no end")
            if following < 0:
                # The file itself is cut off: it is being written, or was not fetched whole.
                raise problem
            with named(source.name):
                reading.countPart()
            reading.passOver(problem)
            after = start
        else:
            if not _isComment(source, after, start):
                yield _Block(
                    label.decode("latin-1"),
                    source.content[start : end + len(last)],
                    source.content[after:start],
                    line,
                    end + len(last),
                )
            after = end + len(last)
            line += source.content.count(b"\n", start, after)
        start = following


def _isComment(source: Source, after: int, start: int) -> bool:
    """Whether the line in which a block begins is one that other programs pass over."""
    begin = source.content.rfind(b"\n", after, start)
    return source.content[max(after, begin + 1) : start].lstrip().startswith((b"#", b";", b"//"))


def _read(block: _Block, source: Source, reading: Reading) -> Contents | None:
    """Read a block, or return None where it is no part of a credential."""
    if (encryption := block.encryption) is not None:
        if reading.wantLists:
            return None
        return _readOldKey(block, encryption, source, reading)
    if blockCalled(block.label) is not None and not (reading.wantLists and block.label in _LISTS):
        return None
    inside = block.inside(source)
    if inside is not None and block.label == _OPENSSH and not reading.wantLists:
        return readOpenSSH(inside, reading)
    structure = None if inside is None else structureOf(inside.content)
    if inside is None or structure is None:
        if block.label in (_LISTS if reading.wantLists else _CREDENTIALS):
            raise Damaged(f"the {block.label} in {source.name} ({source.place})")
        return None
    return _readBinary(block, inside, reading) if structure in readersFor(reading) else None


def _readBinary(block: _Block, inside: Source, reading: Reading) -> Contents:
    contents = _called(readBinary(inside, reading), block.friendlyName)
    if block.label != _TRUSTED:
        return contents
    said = trustSettings(inside.content)
    return replace(contents, trustSettings=tuple((each, said) for each in contents.certificates))


def _called(contents: Contents, name: str | None) -> Contents:
    names = {certificate: name for certificate in contents.certificates if name}
    return replace(contents, friendlyNames={**names, **contents.friendlyNames})


def _readOldKey(block: _Block, encryption: tuple[str, str], source: Source, reading: Reading) -> Contents:
    what = f"the encrypted {printable(block.label)} in {source.name}"
    inside, (cipher, iv) = block.inside(source), encryption
    # The ciphers all work on blocks of 8 or 16 bytes.
    if not cipher or inside is None or not (size := len(inside.content)) or size % 8 or block.label not in _OLD_LABELS:
        raise Damaged(what)
    if not reading.wantKeys:
        return Contents(holdsKey=True)
    with named(what):
        if cipher not in _OLD_CIPHERS:
            raise UnsupportedCipher(f"it is encrypted with {printable(cipher)}, which is not supported")
        if size > _LARGEST_OLD_KEY:
            raise Unsupported(f"it has {size} bytes; keys are read up to {_LARGEST_OLD_KEY}")
        if len(iv) != 2 * _OLD_CIPHERS[cipher] or not _HEXADECIMAL.fullmatch(iv):
            raise Malformed("the initial value of the cipher is of the wrong size")
        reading.countKey(size)
        for secret in reading.passphrase.candidates(source.name):
            key = _decrypted(block.label, cipher, iv, inside, secret)
            if key is not None:
                return Contents(keys=(key,), holdsKey=True)
    raise reading.passphrase.refusal(source.name)


def _decrypted(label: str, cipher: str, iv: str, inside: Source, secret: Secret) -> PrivateKeyTypes | None:
    # OpenSSL takes no pass phrase of less than four characters here, and cryptography takes none for no encryption.
    if not secret.value:
        return None
    words = [word.encode() for word in (label, cipher, iv)]
    try:
        return load_pem_private_key(_OLD_KEY % (*words, base64.b64encode(inside.content), words[0]), secret.value)
    except UnsupportedAlgorithm as error:
        # Only a key that was decrypted can be of the wrong kind.
        raise Unsupported(f"it is of a kind that is not supported ({unreadableText(error)})") from None
    except REJECTIONS:
        return None
