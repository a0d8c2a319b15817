"""Secrets of connections are read from the lines of key logs, whatever else is in them."""

from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire import secrets as secretsModule
from tlscomm._wire.secrets import Secrets

_RANDOM = bytes(range(32))


def line(label: str, random: bytes = _RANDOM, secret: bytes = bytes(48)) -> bytes:
    return f"{label} {random.hex()} {secret.hex()}\n".encode()


class Lines(SynchronousTestCase):
    def test_ofAllVersionsAreRead(self) -> None:
        secrets = Secrets()
        for label in (
            "CLIENT_RANDOM",
            "CLIENT_EARLY_TRAFFIC_SECRET",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "SERVER_TRAFFIC_SECRET_0",
        ):
            secrets.add(line(label, secret=label.encode().ljust(48)))
            self.assertEqual(secrets.find(label, _RANDOM), label.encode().ljust(48))

    def test_thatAreNoneArePassedOver(self) -> None:
        """Comments, labels that open no record, and damaged lines are."""
        good = line("CLIENT_RANDOM")
        secrets = Secrets()
        secrets.add(
            b"# a comment\n\n" + line("EXPORTER_SECRET") + good[:-3] + b"\n" + b"CLIENT_RANDOM zz zz\n" + b"\xff" * 999
        )
        self.assertEqual(len(secrets), 0)
        secrets.add(b"\r\n" + good.upper().replace(b"\n", b"\r\n") + b"x")
        self.assertEqual(secrets.find("CLIENT_RANDOM", _RANDOM), bytes(48))
        self.assertIsNone(secrets.find("NO_LABEL", _RANDOM))

    def test_theLastOneHolds(self) -> None:
        secrets = Secrets()
        secrets.add(line("CLIENT_RANDOM") + line("CLIENT_RANDOM", secret=b"\1" * 48))
        self.assertEqual(secrets.find("CLIENT_RANDOM", _RANDOM), b"\1" * 48)

    def test_areBounded(self) -> None:
        """Of very many the newest are kept."""
        self.patch(secretsModule, "_MOST", 100)
        secrets = Secrets()
        for number in range(150):
            secrets.add(line("CLIENT_RANDOM", number.to_bytes(32, "big")))
        self.assertLessEqual(len(secrets), 100)
        self.assertIsNotNone(secrets.find("CLIENT_RANDOM", (149).to_bytes(32, "big")))
        self.assertIsNone(secrets.find("CLIENT_RANDOM", (7).to_bytes(32, "big")))
