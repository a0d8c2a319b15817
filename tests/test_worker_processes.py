"""``twistd tlscomm --processes`` with real processes: what an operator sees, and what clients do."""

import os
import signal
import socket
import ssl
from pathlib import Path

from test_twistd import AUTHORITY, CLIENT, LISTEN, PATIENT, SERVER, Server, TwistdCase, write

from tlscomm.x509._encoding import pem


class Serving(TwistdCase):
    """A server of two workers."""

    def test_life(self) -> None:
        """A killed worker is named and replaced while the other serves, numbers are unique, and SIGTERM ends all."""
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        identity = write("server.pem", SERVER)
        words = ("--identity", identity, "--client-roots", "ca.pem", "--processes", "2", "--log-format", "json")
        server = Server(*words, *LISTEN, *PATIENT)
        self.addCleanup(server.close)
        port = int(str(server.event()["address"]).rpartition(":")[2])
        pids = [server.untilError("takes connections").split("pid ")[1].split(")")[0] for _ in range(2)]
        os.kill(int(pids[0]), signal.SIGKILL)
        server.untilError("was ended by SIGKILL; another one is started now")
        events = [self.talk(server, port) for _ in range(3)]
        server.untilError("takes connections")
        events += [self.talk(server, port) for _ in range(3)]
        self.assertEqual(len({each["connection"] for each in events}), 6)
        self.assertLessEqual({each["worker"] for each in events}, {1, 2})
        server.process.send_signal(signal.SIGTERM)
        self.assertIn(server.ends(), (0, -signal.SIGTERM))
        for pid in pids:
            self.assertFalse(Path("/proc", pid).exists())

    def test_refusedStart(self) -> None:
        """What keeps a server from starting is said as without workers: once, plainly, with exit status 1."""
        plain = self.run_("tlscomm", "--identity", "none.pem")
        several = self.run_("tlscomm", "--identity", "none.pem", "--processes", "2")
        self.assertEqual((several.returncode, several.stderr), (1, plain.stderr))

    def talk(self, server: Server, port: int) -> dict[str, object]:
        context = ssl.create_default_context(cafile="ca.pem")
        context.load_cert_chain(write("client.pem", CLIENT))
        with (
            socket.create_connection(("127.0.0.1", port), 60) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"Hello<EOF>")
            self.assertEqual(client.recv(100), b"Hello<EOF>")
        event = server.event()
        while event["event"] != "authenticated":
            event = server.event()
        return event
