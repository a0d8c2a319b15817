"""What a user can rely on who took something else for a credential."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from credentialfiles import NOW, authority, made
from cryptography.hazmat.primitives.asymmetric import dsa, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pfxfiles import der, explicit, integer, oid, seq
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.x509 import _encoding as _export

PEM = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"


class ForeignTests(SynchronousTestCase):
    def named(self, content: bytes, says: str) -> None:
        for load in (loadCredential, loadCertificates):
            failure = self.assertRaises(failures.UnknownFormat, load, content)
            self.assertIn(says, f"{failure.detail} {failure.nextStep}")
            self.assertTrue(str(failure).isprintable())

    def test_requests(self) -> None:
        """A certificate request is called that, in PEM and in DER."""
        for name in ("csr.pem", "csr.der"):
            self.named(made()[name], "certificate request (CSR)")
        self.named(made()["csr.pem"].replace(b"CERTIFICATE", b"NEW CERTIFICATE"), "certificate request (CSR)")

    def test_revocationLists(self) -> None:
        """A revocation list is called that, in PEM and in DER, empty or not."""
        for serials in ((), (1, 2)):
            found = authority().revocationList(serials, now=NOW)
            for encoding in (Encoding.PEM, Encoding.DER):
                self.named(found.public_bytes(encoding), "revocation list (CRL)")

    def test_whatHoldsIt(self) -> None:
        """JSON and objects of Kubernetes whose values are no PEM are named, and so is a dump, with what to do."""
        pfx = base64.b64encode(made()["modern.pfx"]).decode()
        self.named(f"apiVersion: v1\nkind: Secret\ndata:\n  keystore.p12: {pfx}\n".encode(), "base64 -d > FILE")
        self.named(json.dumps({"kind": "Secret", "data": {"keystore.p12": pfx}}, indent=1).encode(), "kubectl get")
        self.named(json.dumps({"certificate": pfx}).encode(), "jq -r .FIELD")
        self.named(made()["c.der"].hex(" ").encode(), "xxd -r -p")
        self.named("\r\n".join(map(str, made()["c.der"])).encode("utf-16"), "decimal numbers")

    def test_bytesThatAreLost(self) -> None:
        """What a shell or a program has written as if it were text is named, for nothing brings it back."""
        for encoding in ("cp437", "cp850", "latin-1"):
            self.named(made()["c.der"].decode(encoding).encode("utf-16"), "its bytes are lost")
        self.named(made()["c.der"].decode("utf-8", "replace").encode(), "its bytes are lost")

    def test_publicKeys(self) -> None:
        """A public key is called that, in PEM and in DER, in the forms of X.509 and of PKCS#1."""
        for name in ("public.pem", "public.der"):
            self.named(made()[name], "public key")
        self.named(seq(integer(2**2047 + 1), integer(65537)), "public key")
        self.named(PEM.format("RSA PUBLIC KEY").encode(), "public key")

    def test_sshPublicKeys(self) -> None:
        """An SSH public key is called that, whatever its kind."""
        key = ed25519.Ed25519PrivateKey.generate().public_key()
        self.named(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" me@here\n", "SSH public key")
        for kind in (b"ssh-rsa", b"ecdsa-sha2-nistp256", b"sk-ssh-ed25519@openssh.com"):
            self.named(kind + b" AAAAB3NzaC1 me@here\n", "SSH public key")
        self.named(b"---- BEGIN SSH2 PUBLIC KEY ----\n", "SSH public key")

    def test_keystores(self) -> None:
        """A keystore of Java's is named, with the command that converts it."""
        for start, says in (
            (b"\xfe\xed\xfe\xed\0\0\0\2", "(JKS)"),
            (b"\xce\xce\xce\xce\0\0\0\2", "(JCEKS)"),
            (b"\0\0\0\2\0\0\0\x14" + bytes(20), "(BKS)"),
        ):
            self.named(start + bytes(40), says)
            self.named(start + bytes(40), "keytool -importkeystore")

    def test_windows(self) -> None:
        """What only Windows reads is named."""
        self.named(bytes.fromhex("1ef1b5b0") + bytes(60), "PVK")
        self.named(b"\0\0\0\0CERT" + bytes(60), "(SST)")

    def test_others(self) -> None:
        """What is at hand where keys are is named: other programs' keys, databases, archives, web pages."""
        for content, says in (
            (b"PuTTY-User-Key-File-3: ssh-ed25519\r\n", "puttygen"),
            (b"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", "ssh-keygen -i"),
            (PEM.format("PGP PRIVATE KEY BLOCK").encode(), "OpenPGP"),
            (b'{"kty":"EC","crv":"P-256"}', "JSON Web Key"),
            (b'{ "use": "sig",\n "kty": "RSA"}', "JSON Web Key"),
            (b"<RSAKeyValue><Modulus>", "XML"),
            (b"SQLite format 3\0", "pk12util"),
            (b"\n<!DOCTYPE html>\n", "web page"),
            (b"\xef\xbb\xbf<html>", "web page"),
            (b"PK\3\4", "ZIP"),
            (b"\x1f\x8b\x08", "gzip"),
            (PEM.format("DH PARAMETERS").encode(), "Diffie-Hellman"),
            (PEM.format("EC PARAMETERS").encode(), "elliptic curve"),
            (PEM.format("ATTRIBUTE CERTIFICATE").encode(), "attribute certificate"),
            (der(0x30, b"\x0a\1\0" + explicit(seq())), "OCSP response"),
        ):
            self.named(content, says)

    def test_unknownBlock(self) -> None:
        """A PEM block that nobody knows is called by its own label, which cannot command a terminal."""
        self.named(PEM.format("PIZZA").encode(), "PIZZA")
        self.named(PEM.format("\x1b[2J").encode(), "\\x1b[2J")
        self.named(PEM.format("").encode(), "PEM file with nothing")

    def test_several(self) -> None:
        """Of several such blocks each is called once."""
        content = made()["csr.pem"] * 2 + made()["public.pem"]
        self.named(content, "is a certificate request (CSR)")
        self.named(content, "a public key")
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, content)
        self.assertEqual(failure.detail.count("CSR"), 1)

    def test_besideCredential(self) -> None:
        """Beside a credential such blocks do no harm."""
        content = made()["csr.pem"] + made()["public.pem"] + made()["c.pem"] + made()["k.pem"]
        loadCredential(content + PEM.format("PGP MESSAGE").encode()).requireKey()

    def test_unknown(self) -> None:
        """What nobody knows is told by its first bytes; of a text, which may be a pass phrase, nothing is shown."""
        for text in (b"Hello", "größer\n".encode(), b"0", b"M" * 99):
            self.named(text, "is text without any block of PEM")
            self.named(text, "tlscomm inspect")
        for content in (
            b"\x89PNG\r\n\x1a\n",
            seq(seq(oid("1.2.3"))),
            seq(oid("1.2.3")),
            b"0\x80",
        ):
            self.named(content, f"begins with the bytes {content[:4].hex(' ')}")

    def test_folder(self) -> None:
        """In a folder of roots such files are passed over."""
        Path("roots").mkdir()
        for name in ("csr.pem", "public.der", "k.pem", "c.pem"):
            Path("roots", name).write_bytes(made()[name])
        Path("roots/list.crl").write_bytes(authority().revocationList(now=NOW).public_bytes(Encoding.DER))
        self.assertEqual(_export.pem(loadCertificates("roots")), made()["c.pem"])

    def test_oldDSA(self) -> None:
        """A DSA key, which TLS has no use for any more, is still read: what is wrong with it is said later."""
        key = dsa.generate_private_key(1024)
        credential = authority().issue("x", role="server", privateKey=key, now=NOW)
        loadCredential(_export.cer(credential.certificate), key=_export.keyPEM(key)).requireKey()
