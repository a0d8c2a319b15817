"""PEM as it comes out of Kubernetes, Vault, a cloud's console, an environment variable or a mail."""

from __future__ import annotations

import base64
import json
import textwrap
from urllib.parse import quote

from credentialfiles import authority, issued, keyOf
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.x509._encoding import cer, pem


def text() -> str:
    """A certificate with its chain and key."""
    return (pem((issued().certificate, *issued().chain)) + keyOf(issued())).decode()


def encoded(content: str | bytes) -> str:
    return base64.b64encode(content.encode() if isinstance(content, str) else content).decode()


class WrappedTests(SynchronousTestCase):
    def reads(self, wrapped: str | bytes) -> None:
        credential = loadCredential(wrapped if isinstance(wrapped, bytes) else wrapped.encode()).requireKey()
        self.assertEqual(credential.certificate, issued().certificate)
        self.assertEqual(credential.chain, issued().chain)

    def test_base64(self) -> None:
        """PEM that was encoded once more, or twice, in one line or many, is read."""
        once = encoded(text())
        for wrapped in (
            once,
            once + "\r\n",
            textwrap.fill(once, 76),
            encoded(once),
            encoded("Bag Attributes\n" + text()),
        ):
            self.reads(wrapped)
        self.reads(wrapped.encode("utf-16"))
        self.reads(encoded(text().encode("utf-16-le")))

    def test_appended(self) -> None:
        """What a shell of Windows has appended in UTF-16 to a file that was not is read with the rest."""
        chain, key = pem((issued().certificate, *issued().chain)), keyOf(issued())
        for content in (
            chain + key.decode().encode("utf-16-le"),
            chain + b"\xff\xfe" + key.decode().encode("utf-16-le"),
            chain.decode().encode("utf-16") + key,
        ):
            self.reads(content)

    def test_kubernetes(self) -> None:
        """A Secret in YAML or JSON, and a kubeconfig, are read with all that is in them."""
        crt, key = encoded(pem((issued().certificate, *issued().chain))), encoded(keyOf(issued()))
        self.reads(f"apiVersion: v1\nkind: Secret\ndata:\n  tls.crt: {crt}\n  tls.key: {key}\nmetadata:\n  name: x\n")
        self.reads(json.dumps({"kind": "Secret", "data": {"tls.crt": crt, "tls.key": key}}))
        self.reads(f"users:\n- user:\n    client-certificate-data: {crt}\n    client-key-data: {key}\n")

    def test_json(self) -> None:
        """Line ends, and other characters, in the escapes of JSON and of shells are what they stand for."""
        fields = {"certificate": pem([issued().certificate]).decode(), "private_key": keyOf(issued()).decode()}
        vault = json.dumps({"data": {**fields, "ca_chain": [pem(issued().chain).decode()]}})
        for wrapped in (
            vault,
            vault.replace("/", "\\/"),
            vault.replace("+", "\\u002B"),
            json.dumps(vault),
            "TLS_PEM='" + text().replace("\n", "\\n") + "'",
            text().replace("\n", "\\r\\n"),
        ):
            self.reads(wrapped)

    def test_otherWrappings(self) -> None:
        """So is what a web server hands on in a header, and what was quoted in a mail."""
        self.reads(quote(text(), safe=""))
        self.reads("".join(f"> {line}\n" for line in text().splitlines()))
        self.reads("Hello,\n\n" + "".join(f">> {line}\r\n" for line in text().splitlines()))

    def test_programs(self) -> None:
        """So is text in a program in C, or in a list of lines in JSON or YAML."""
        lines = text().splitlines()
        self.reads("static const char PEM[] =\n" + "".join(f'  "{line}\\n" \\\n' for line in lines) + ";\n")
        self.reads(json.dumps(lines))
        self.reads("".join(f"  - '{line}'\n" for line in lines).replace("  - '-----", "'-----").replace("  - ", ""))

    def test_comments(self) -> None:
        """A block that a comment's sign takes out of a file is not read."""
        other = authority().issue("other", role="client").certificate
        commented = "".join(f"# {line}\n" for line in pem([other]).decode().splitlines())
        self.assertEqual(loadCertificates((commented + text()).encode()), (issued().certificate, *issued().chain))

    def test_dashes(self) -> None:
        """Dashes that a word processor made of hyphens are named, for they are not read."""
        for dashes in ("\u2014\u2013", "\u2013\u2013-", "\u2212" * 5):
            broken = text().replace("-----BEGIN", f"{dashes}BEGIN").replace("-----END", f"{dashes}END")
            failure = self.assertRaises(failures.Damaged, loadCredential, broken.encode())
            self.assertIn("five hyphens", failure.nextStep)

    def test_neighbours(self) -> None:
        """Certificates in DER with line ends or NULs around them, and behind PEM, are all read."""
        one, two = issued().certificate, authority().certificate
        for content in (
            b"\r\n" + cer(one) + b"\n" + cer(two) + b"\0",
            pem([one]) + cer(two),
            cer(one) + b"\n" + pem([two]),
        ):
            self.assertEqual(loadCertificates(content), (one, two))

    def test_nothingInside(self) -> None:
        """What is only encoded, and holds nothing, is refused as before."""
        for content in (encoded("hello, " * 20), json.dumps({"data": encoded("x" * 90)}), encoded(encoded("y" * 90))):
            self.assertRaises(failures.UnknownFormat, loadCredential, content.encode())
