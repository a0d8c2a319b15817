"""What we say of messages and records is what tshark says of them, on captures of programs that are not ours."""

from collections import Counter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.tsharkfields import FIELDS, merged, ours, tsharks

#: Captures of OpenSSL, GnuTLS, Go, Java, .NET's SslStream under mono, nginx, and ourselves.
_CAPTURES = (
    "client-gnutls-1.3.pcap",
    "client-java-1.3.pcap",
    "client-mono-1.2.pcapng",
    "early-data.pcap",
    "key-update.pcap",
    "renegotiated.pcap",
    "resumed-go-1.2.pcap",
    "resumed-nginx-1.3.pcap",
    "retry-tlscomm.pcap",
    "server-openssl-1.2.pcap",
    "suite-aes128-sha.pcap",
)


class Fields(SynchronousTestCase):
    def test_areThoseOfTshark(self) -> None:
        """Of some fifty fields 99 in a hundred values are equal, and nearly each of them was seen."""
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        capture = merged(_CAPTURES, folder)
        theirs, own = tsharks(capture), ours(capture)
        equal, total, seen = 0, 0, Counter[str]()
        for place in theirs.keys() | own.keys():
            left, right = Counter(theirs.get(place, ())), Counter(own.get(place, ()))
            equal += (left & right).total()
            total += (left | right).total()
            seen[place[1]] += (left & right).total()
        self.assertGreater(total, 5000)
        self.assertGreaterEqual(equal / total, 0.99)
        self.assertGreaterEqual(sum(1 for field in FIELDS if seen[field]), 50)
