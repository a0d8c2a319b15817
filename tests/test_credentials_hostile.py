"""What a user can rely on when a file was made to do harm."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable

from credentialfiles import NOW, PASSPHRASE, issued, keyOf, made, pfxOf
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import _export, failures
from tlscomm.credentials import certificateFacts, checkUsable, loadCertificates, loadCredential

#: Without a deadline, which would make the clock part of the test.
unhurried = settings(deadline=None)


class HostileContentTests(SynchronousTestCase):
    """Nothing but our own failures comes out of the loader, whatever goes in."""

    def tried(self, content: bytes, passphrase: bytes = PASSPHRASE) -> None:
        # cryptography warns of some deviations before it refuses others.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                credential = loadCredential(content, passphrase=passphrase)
                certificateFacts(credential.certificate)
                checkUsable(credential, "server", NOW)
            except failures.TLSFailure as failure:
                self.assertTrue(str(failure).isprintable())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.quietly(loadCredential, content)
            self.quietly(loadCertificates, content)

    def quietly(self, load: Callable[[bytes], object], content: bytes) -> None:
        with contextlib.suppress(failures.TLSFailure):
            load(content)

    def good(self) -> dict[str, bytes]:
        chained = issued()
        return {
            "pem": _export.pem((chained.certificate, *chained.chain)) + keyOf(chained),
            "encrypted": made()["c.pem"] + made()["pkcs8.pem"],
            "old": made()["c.pem"] + made()["sec1-aes256.pem"],
            "der": _export.cer(chained.certificate),
            "pfx": pfxOf(chained, others=chained.chain),
            "clear": made()["clear.pfx"],
        }

    @unhurried
    @given(
        st.binary(max_size=200),
        st.sampled_from((b"", b"-----BEGIN ", b"0\x82\x01\x00\x02\x01\x030", b"0\x820\x82\xa0\x03\x02\x01")),
    )
    def test_anything(self, content: bytes, start: bytes) -> None:
        """Arbitrary bytes, also such that begin as a known form does."""
        self.tried(start + content)

    def test_truncated(self) -> None:
        """Good files that end too early, at every byte."""
        for content in self.good().values():
            for end in range(len(content)):
                self.quietly(loadCertificates, content[:end])
                self.quietly(loadCredential, content[:end])

    @unhurried
    @given(st.data())
    def test_changed(self, data: st.DataObject) -> None:
        """Good files with a few bits or bytes changed, put in or left out."""
        content = bytearray(data.draw(st.sampled_from(sorted(self.good().items())))[1])
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(content) - 1))
            removed = data.draw(st.sampled_from((0, 1, 1, 1, 40)))
            content[start : start + removed] = data.draw(st.binary(max_size=3))
        self.tried(bytes(content))

    @unhurried
    @given(st.sampled_from(("modern.pfx", "pkcs8.pem", "clear.pfx")), st.binary(max_size=40))
    def test_passphrases(self, name: str, passphrase: bytes) -> None:
        """Any bytes as a pass phrase."""
        self.tried(made()["c.pem"] + made()[name] if name.endswith(".pem") else made()[name], passphrase)

    def test_nested(self) -> None:
        """Nesting deeper than any stack."""
        self.tried(b"0\x80\x02\x01\x030" + b"\x800" * 100_000)
        nested = b""
        for _ in range(3000):
            nested = b"0\x84" + len(nested).to_bytes(4, "big") + nested
        self.tried(b"0\x84" + (len(nested) + 3).to_bytes(4, "big") + b"\x02\x01\x03" + nested)

    def test_manyBlocks(self) -> None:
        """A file full of beginnings, or of blocks that say nothing."""
        self.tried(b"-----BEGIN CERTIFICATE-----\n" * 100_000)
        self.tried(b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n" * 100_000)
