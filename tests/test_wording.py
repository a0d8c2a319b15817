"""What a user can rely on when messages name times, purposes and what cannot be read."""

from datetime import datetime, timedelta, timezone

from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures._wording import timeText
from tlscomm.x509._purposes import purposesText
from tlscomm.x509._unreadable import unreadableText


class WordingTests(SynchronousTestCase):
    def test_time(self) -> None:
        """Times are ISO 8601 in UTC, as in the JSON."""
        east = timezone(timedelta(hours=2))
        self.assertEqual(timeText(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=east)), "2026-01-02T01:04:05+00:00")

    def test_purposes(self) -> None:
        """Purposes have their name, where it is known, and their number, whatever their order."""
        purposes = (ObjectIdentifier("2.999.1"), ExtendedKeyUsageOID.CLIENT_AUTH)
        self.assertEqual(purposesText(purposes), "Client Authentication (1.3.6.1.5.5.7.3.2), 2.999.1")
        self.assertEqual(purposesText(reversed(purposes)), purposesText(purposes))
        self.assertEqual(purposesText(()), "none")

    def test_unreadable(self) -> None:
        """What a parser says is put into words, without the parser's own notation."""
        for said, words in (
            (
                "error parsing asn1 value: ParseError { kind: ShortData { needed: 5 }, "
                'location: ["subject_alternative_name", 0] }',
                "it ends too early (subject alternative name)",
            ),
            ("ParseError { kind: ExtraData }", "there is something after its end"),
            ('ParseError { kind: Odd, location: ["Certificate::tbs_cert"] }', "it is not well-formed (tbs cert)"),
            ("Certificate has a\nweird serial", "Certificate has a\\nweird serial"),
        ):
            self.assertEqual(unreadableText(ValueError(said)), words)
