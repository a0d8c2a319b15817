"""What a user can rely on when captures are read: the connections that tcpdump and dumpcap saw, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.secrets import Secrets
from tlscomm.tracing._captures import readCaptures

CAPTURES = Path(__file__).parent / "captures"


class StoredCaptures(SynchronousTestCase):
    def test_everyConnectionIsFound(self) -> None:
        """Each connection of a capture has a trace, with the server's port and a number of its own."""
        for capture in json.loads((CAPTURES / "manifest.json").read_text()):
            reading = readCaptures([str(CAPTURES / capture["file"])], Secrets())
            traces = sorted(reading, key=lambda trace: trace.number)
            found = [(trace.number, trace.server and trace.server.port) for trace in traces]
            wanted = [(connection["number"], capture["port"]) for connection in capture["connections"]]
            self.assertEqual(found, wanted, capture["file"])
            self.assertEqual((reading.connectionsWithoutTLS, reading.damages), (0, ()))
