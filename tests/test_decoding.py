"""Every message is told field by field, in the names of the standards, whatever is in it."""

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from tests.chains import NAME, root
from tests.wiretraffic import Traffic, context, dissected
from tlscomm._wire.decoding import decode
from tlscomm._wire.events import Event, Field, Kind
from tlscomm.tracing._fields import fieldsOf


def message(name: str, content: bytes, version: int = 0x0304) -> Event:
    return Event(Kind.HANDSHAKE, True, 0, name, len(content), content=content, version=version)


def handshake(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def vector(size: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return len(content).to_bytes(size, "big") + content


def hello(*extensions: bytes) -> Event:
    """Return a ClientHello."""
    body = b"\3\3" + bytes(32) + b"\0" + vector(2, b"\x13\1\x1a\x1a\xfe\xdc") + b"\1\0" + vector(2, *extensions)
    return message("ClientHello", handshake(1, body))


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + vector(2, content)


def found(event: Event, name: str) -> Field:
    field = next((each for top in decode(event) if (each := top.find(name)) is not None), None)
    assert field is not None, name
    return field


class Messages(SynchronousTestCase):
    def test_ofRealPeersAreReadToTheirLastByte(self) -> None:
        """Nothing in a handshake of OpenSSL is undecodable, and the fields stand side by side without a gap."""
        for version in (SSL.TLS1_1_VERSION, SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for event in dissected(Traffic(context("client", version), context("server", version)).pump()):
                fields = decode(event)
                every = [each.name for field in fields for each in field.walk()]
                self.assertNotIn("undecodable", every)
                self.assertNotIn("more", every)
                self.assertEqual(bool(fields), event.kind in (Kind.HANDSHAKE, Kind.ALERT))
                end = 0
                for field in fields:
                    self.assertEqual(field.offset, end)
                    end += field.size
                self.assertEqual(end, len(event.content))

    def test_thatEndEarlyAreReadAsFarAsTheyGo(self) -> None:
        """Of a message that a capture has half of, the first half is told, and that something is missing."""
        whole = hello(extension(0, vector(2, b"\0" + vector(2, b"example.org"))), extension(99, b"abc"))
        for size in range(1, len(whole.content)):
            fields = decode(message("ClientHello", whole.content[:size]))
            self.assertEqual(fields[-1].name, "undecodable")
            self.assertEqual(sum(field.size for field in fields), size)
        cut = message("ClientHello", whole.content[:-4])
        self.assertEqual(found(cut, "host_name").text, "example.org")

    def test_ofUnknownTypesAreBytes(self) -> None:
        self.assertEqual(found(message("handshake_99", handshake(99, b"abc")), "body").value, b"abc")

    def test_areBounded(self) -> None:
        """A message of sixty thousand entries has a few thousand fields, and says that there is more."""
        names = b"".join(vector(1, b"a") for _ in range(30000))
        event = hello(extension(16, vector(2, names)))
        every = [field for top in decode(event) for field in top.walk()]
        self.assertLess(len(every), 3000)
        self.assertIn("more", {field.name for field in every})

    def test_alertsAreNamed(self) -> None:
        event = Event(Kind.ALERT, False, 0, "unknown_ca", 7, content=b"\2\x30")
        self.assertEqual([field.text for field in decode(event)], ["fatal", "unknown_ca"])


class Extensions(SynchronousTestCase):
    def test_thatMeanNothingAreNamedSo(self) -> None:
        """What is there so that peers get used to new numbers (RFC 8701) is called GREASE."""
        event = hello(extension(0x2A2A, b""))
        self.assertEqual(found(event, "extensions").children[0].name, "GREASE (0x2A2A)")
        self.assertEqual(
            [field.text for field in found(event, "cipher_suites").children],
            ["TLS_AES_128_GCM_SHA256", "GREASE (0x1A1A)", "0xFEDC"],
        )

    def test_thatAreUnknownAreBytes(self) -> None:
        self.assertEqual(found(hello(extension(4242, b"abc")), "extension_4242").value, b"abc")

    def test_textOfAPeerIsPrintable(self) -> None:
        """What a peer calls a server or a protocol is shown on one line, without anything that a terminal obeys."""
        event = hello(
            extension(0, vector(2, b"\0" + vector(2, b"a\x1b[31m\n"))),
            extension(16, vector(2, vector(1, b"\x1b]0;\xff"))),
        )
        for each in ("host_name", "ProtocolName", "extensions", "server_name"):
            self.assertTrue(found(event, each).text.isprintable())

    def test_haveTheFormOfTheirMessage(self) -> None:
        """One extension has another form in each message."""
        event = hello(
            extension(43, vector(1, b"\3\4\3\3")),
            extension(41, vector(2, vector(2, b"ticket") + bytes(4)) + vector(2, vector(1, bytes(32)))),
            extension(51, vector(2, b"\0\x1d" + vector(2, bytes(32)))),
        )
        self.assertEqual([field.text for field in found(event, "versions").children], ["TLS 1.3", "TLS 1.2"])
        self.assertEqual(found(event, "identity").value, b"ticket")
        self.assertEqual(found(event, "group").text, "X25519")
        body = b"\3\3" + bytes(32) + b"\0\x13\1\0" + vector(2, extension(43, b"\3\4"), extension(51, b"\0\x17"))
        retry = message("HelloRetryRequest", handshake(2, body))
        self.assertEqual(found(retry, "selected_version").value, 0x0304)
        self.assertEqual(found(retry, "selected_group").text, "P-256")


class Readable(SynchronousTestCase):
    """A person reads whose certificates and names are in a message."""

    def test_certificatesAndNamesAreTold(self) -> None:
        for version, name in ((SSL.TLS1_2_VERSION, "ASN.1Cert"), (SSL.TLS1_3_VERSION, "cert_data")):
            events = dissected(Traffic(context("client", version), context("server", version)).pump())
            certificate = next(each for each in events if each.name == "Certificate")
            every = [each for field in fieldsOf(certificate) for each in field.walk()]
            for wanted in (name, "certificate_list"):
                (text,) = [each.text for each in every if each.name == wanted]
                self.assertIn(f"CN={NAME}", text)
                self.assertIn("issued by ", text)
        authority = root().certificate.subject.public_bytes()
        body = b"\1\1\0\0" + vector(2, vector(2, authority), vector(2, b"none"))
        fields = fieldsOf(message("CertificateRequest", handshake(13, body), 0x0303))
        texts = [each.text for field in fields for each in field.walk() if each.name == "DistinguishedName"]
        self.assertEqual(texts, [root().certificate.subject.rfc4514_string(), b"none".hex()])

    def test_whatIsNoneIsBytes(self) -> None:
        """What a stranger calls a certificate, and is none, raises nothing."""
        for junk in (b"", b"\x30\x80", bytes(5000), b"\x30\x03\x02\x01\x01"):
            event = message("Certificate", handshake(11, vector(3, vector(3, junk))), 0x0303)
            (field,) = [each for top in fieldsOf(event) for each in top.walk() if each.name == "ASN.1Cert"]
            self.assertEqual(field.value, junk)
            self.assertIn(f"{len(junk):,} bytes", field.text)
