"""The bytes of each side of each connection are those that the real tshark puts together, in mangled captures too."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.packets import Told, connectionsIn, pcap
from tlscomm._capture.packets import Packet
from tlscomm._capture.reading import CaptureFiles

CAPTURES = Path(__file__).parent / "captures"

#: Of one link type each, with resets, large and small segments, IPv4 and IPv6.
CHOSEN = ("server-java-1.3.pcap", "server-nginx-1.2.pcapng", "server-go-1.3.pcapng", "ipv6-openssl.pcapng")

#: Of each connection, what each end said.
Streams = list[list[tuple[str, bytes]]]


def packetsOf(path: Path) -> list[Packet]:
    return list(CaptureFiles([str(path)], lambda lines: None).packets())


def mangled(packets: list[Packet], chance: random.Random) -> list[Packet]:
    """Packets that come a little out of order, some of them twice."""
    twice = [packet for packet in packets for _ in range(1 + (chance.random() < 0.2))]
    places = [(place + chance.uniform(0, 4), place) for place in range(len(twice))]
    return [twice[place] for _, place in sorted(places)]


def ours(connections: list[Told]) -> Streams:
    found = []
    for told in connections:
        (first, second), said = told.ends, told.bytes
        found.append(
            sorted([(f"{first.host}:{first.port}", said[True]), (f"{second.host}:{second.port}", said[False])])
        )
    return sorted(found)


def tsharks(path: Path, count: int) -> Streams:
    """What ``follow,tcp,raw`` shows of each stream: lines in hexadecimal, the second side's behind a tab."""
    follow = [word for number in range(count) for word in ("-z", f"follow,tcp,raw,{number}")]
    command = ["tshark", "-n", "-q", "-r", str(path), *follow]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = []
    for part in done.stdout.split("Follow: tcp,raw\n")[1:]:
        lines = part.split("\n=====")[0].splitlines()
        first, second = (line.split(": ", 1)[1].replace("[", "").replace("]", "") for line in lines[1:3])
        said = [
            "".join(line.strip() for line in lines[3:] if line.startswith("\t") == isSecond)
            for isSecond in (False, True)
        ]
        found.append(sorted([(first, bytes.fromhex(said[0])), (second, bytes.fromhex(said[1]))]))
    return sorted(found)


class StreamsCompared(SynchronousTestCase):
    def test_asTshark(self) -> None:
        """With packets that come twice and out of order."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        packets = [packet for name in CHOSEN for packet in packetsOf(CAPTURES / name)]
        path = Path(folder.name, "mangled.pcap")
        path.write_bytes(pcap(packet.data for packet in mangled(packets, random.Random(14))))
        connections = connectionsIn(packetsOf(path))
        self.assertGreater(len(connections), 12)
        self.assertEqual(ours(connections), tsharks(path, len(connections)))
