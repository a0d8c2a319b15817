"""``twistd tlscomm`` as a program: what its operator sees, and what a client on the other side does.

The far side is Python's own ``ssl``.
"""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from queue import Queue
from typing import Any
from unittest import TestCase

from forkserver import python

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority, ensureDevelopmentAuthority
from tlscomm.x509._encoding import keyPEM, pem

TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")

#: Seconds for anything that happens at once on an idle machine.
PATIENCE = 120

AUTHORITY = Authority.create()
NOW = datetime.now(timezone.utc)
NAMES: Any = {"dnsNames": ["localhost"], "addresses": ["127.0.0.1"]}
SERVER = AUTHORITY.issue("server", role="server", **NAMES)
CLIENT = AUTHORITY.issue("client", role="client")

#: No deadline is the subject, but where a test says so.
PATIENT = ("--handshake-timeout", "0", "--read-timeout", "0", "--write-timeout", "0")

LISTEN = ("--listen", "tcp:0:interface=127.0.0.1")


def write(name: str, credential: Credential, *, key: Any = None) -> str:
    """Write a credential, with its own key or another, into the current folder and return the file's name."""
    Path(name).write_bytes(pem([credential.certificate]) + keyPEM(key or credential.privateKey))
    os.chmod(name, 0o600)
    return name


class Server:
    """``twistd -n tlscomm``, running."""

    def __init__(
        self, *words: str, before: tuple[str, ...] = ("-n", "--pidfile="), interpreter: tuple[str, ...] = ()
    ) -> None:
        command = (*TWISTD, *before, "tlscomm", *words)
        self.process = subprocess.Popen(
            (*interpreter, *command) if interpreter else python(*command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self._errors: Queue[str] = Queue()
        # What nobody reads would fill a pipe and stop the server.
        self._readers = [threading.Thread(target=self._readOutput), threading.Thread(target=self._readErrors)]
        for reader in self._readers:
            reader.start()

    def line(self) -> str | None:
        """Await the next line of standard output; None at its end."""
        return self._lines.get(timeout=PATIENCE)

    def event(self) -> dict[str, Any]:
        """Await the next event."""
        line = self.line()
        if line is None:
            raise AssertionError(f"the server has ended: {self.errors}")
        event: dict[str, Any] = json.loads(line)
        return event

    def untilLine(self, pattern: str) -> re.Match[str]:
        """Await a line that matches."""
        while (line := self.line()) is not None:
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"the server has ended without {pattern!r}: {self.errors}")

    def untilError(self, words: str) -> str:
        """Await a line of standard error with these words."""
        while words not in (line := self._errors.get(timeout=PATIENCE)):
            pass
        return line

    def ends(self) -> int:
        """Await its end, and return its exit status."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.ends()

    def close(self) -> None:
        self.process.kill()
        self.ends()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _readOutput(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _readErrors(self) -> None:
        for line in self.process.stderr or ():
            self.errors.append(line)
            self._errors.put(line)


class TwistdCase(TestCase):
    """Programs in the test's own folder."""

    def setUp(self) -> None:
        self.home = Path("home").absolute()
        before = os.environ.get("TLSCOMM_HOME")
        os.environ["TLSCOMM_HOME"] = str(self.home)
        self.addCleanup(self._restore, before)

    def _restore(self, before: str | None) -> None:
        del os.environ["TLSCOMM_HOME"]
        if before is not None:
            os.environ["TLSCOMM_HOME"] = before

    def run_(self, *words: str, before: tuple[str, ...] = ("-n", "--pidfile=twistd.pid")) -> Any:
        """Run to the end."""
        return subprocess.run(
            python(*TWISTD, *before, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def serve(self, *words: str, **more: Any) -> Server:
        server = Server(*LISTEN, *words, **more)
        self.addCleanup(server.close)
        return server

    def serveJSON(self, *words: str, **more: Any) -> tuple[Server, int]:
        """A server with the test's identity, and its port."""
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        identity = ("--identity", write("server.pem", SERVER), "--client-roots", "ca.pem")
        server = self.serve(*identity, *PATIENT, "--log-format", "json", *words, **more)
        event = server.event()
        self.assertEqual(event["event"], "listening")
        return server, int(event["address"].rpartition(":")[2])

    def connect(self, port: int, client: Credential | None = CLIENT, ca: str = "ca.pem") -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=ca)
        if client is not None:
            context.load_cert_chain(write("client.pem", client))
        tcp = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        try:
            # An end of stream without close_notify is to be an exception.
            tls = context.wrap_socket(tcp, server_hostname="localhost", suppress_ragged_eofs=False)
        except BaseException:
            tcp.close()
            raise
        self.addCleanup(tls.close)
        return tls

    def assertRefused(self, code: str, *words: str) -> str:
        """The program says the code and what to do, on standard error, and ends with 1 before it has a port."""
        done = self.run_("tlscomm", *LISTEN, *words)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        first, second = done.stderr.splitlines()
        self.assertTrue(first.startswith(f"twistd tlscomm: {code}: "), first)
        self.assertTrue(second.startswith("Next step: "), second)
        self.assertFalse(Path("twistd.pid").exists())
        return first


class ReloadTests(TwistdCase):
    """SIGHUP."""

    def test_otherAuthorities(self) -> None:
        """A client of an authority that is not trusted any more is cut off, and named; the server goes on."""
        server, port = self.serveJSON()
        client = self.connect(port)
        self.assertEqual(server.event()["event"], "authenticated")
        Path("ca.pem").write_bytes(pem([Authority.create("another").certificate]))
        server.process.send_signal(signal.SIGHUP)
        # close_notify, and not a mere end of stream, which would raise.
        self.assertEqual(client.recv(1), b"")
        client.unwrap().close()
        event = server.event()
        self.assertEqual((event["event"], event["failure"]["code"]), ("closed", "unknown-issuer"))
        Path("ca.pem").unlink()
        server.process.send_signal(signal.SIGHUP)
        self.assertIn("file-not-found", server.untilError("is not read again"))
        self.assertEqual(server.stop(), 0)


class HelpTests(TwistdCase):
    """What a person reads first."""

    def test_listed(self) -> None:
        """twistd's help lists the plugin."""
        self.assertIn(" tlscomm ", self.run_("--help", before=()).stdout)

    def test_help(self) -> None:
        """The plugin's help explains its options and ends with 0."""
        done = self.run_("tlscomm", "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--client-roots=", done.stdout)

    def test_version(self) -> None:
        """The version is that of tlscomm."""
        self.assertRegex(self.run_("tlscomm", "--version").stdout, r"^tlscomm \d")


class RefusalTests(TwistdCase):
    """A server that cannot start says why, once, and ends with exit status 1."""

    def test_missingFile(self) -> None:
        """An identity that is not there."""
        self.assertIn("nothing.pem", self.assertRefused("file-not-found", "--identity", "nothing.pem"))

    def test_noKey(self) -> None:
        """A certificate without its key."""
        Path("server.pem").write_bytes(pem([SERVER.certificate]))
        self.assertRefused("no-private-key", "--identity", "server.pem")

    def test_wrongKey(self) -> None:
        """A certificate with another's key."""
        self.assertRefused("key-mismatch", "--identity", write("server.pem", SERVER, key=CLIENT.privateKey))

    def test_expired(self) -> None:
        """A certificate of yesterday."""
        days = {"notBefore": NOW - timedelta(days=9), "notAfter": NOW - timedelta(days=1)}
        old = AUTHORITY.issue("server", role="server", **NAMES, **days)
        self.assertRefused("expired", "--identity", write("server.pem", old))

    def test_wrongPurpose(self) -> None:
        """A client's certificate."""
        self.assertIn(
            "Server Authentication", self.assertRefused("wrong-purpose", "--identity", write("c.pem", CLIENT))
        )

    def test_readableKey(self) -> None:
        """A private key that everybody can read."""
        os.chmod(write("server.pem", SERVER), 0o644)
        self.assertRefused("unsafe-permissions", "--identity", "server.pem")

    def test_wrongWord(self) -> None:
        """A wrong word is one message and not the list of all options."""
        done = self.run_("tlscomm", "--framing", "nonsense")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(
            done.stderr,
            "twistd tlscomm: --framing is one of eof, line, netstring, int32, not 'nonsense'\n"
            "`twistd tlscomm --help` explains every option.\n",
        )

    def test_badApplication(self) -> None:
        """An application that cannot be imported is one message, and not its traceback."""
        Path("mine.py").write_text("import nowhere\n")
        done = self.run_("tlscomm", "--application", "mine:factory")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the module mine cannot be imported: ModuleNotFoundError", done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_portInUse(self) -> None:
        """A port in use is one message on standard error, and leaves neither a traceback nor a pid file."""
        identity = ("--identity", write("server.pem", SERVER))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
            done = self.run_("tlscomm", "--listen", place, *identity)
            self.assertEqual(done.returncode, 1)
            self.assertEqual(
                done.stderr,
                f"twistd tlscomm: cannot listen on {place}: Address already in use\n"
                "Next step: Stop the program that listens there, or listen on another port.\n",
            )
            self.assertNotIn("Traceback", done.stdout)
            self.assertFalse(Path("twistd.pid").exists())

            asJSON = self.run_("tlscomm", "--listen", place, *identity, "--log-format", "json")
            self.assertEqual((asJSON.returncode, asJSON.stdout), (1, ""))
            self.assertIn(done.stderr, asJSON.stderr)

    def test_daemon(self) -> None:
        """Whoever starts a daemon sees why it cannot start, be it the credential or the port."""
        daemon = ("--pidfile=twistd.pid", "--logfile=twistd.log")
        done = self.run_("tlscomm", "--identity", "nothing.pem", before=daemon)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("twistd tlscomm: file-not-found: ", done.stderr)

        identity = ("--identity", write("server.pem", SERVER))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"tcp:{taken.getsockname()[1]}"
            done = self.run_("tlscomm", "--listen", f"{place}:interface=127.0.0.1", *identity, before=daemon)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(f"{place}:interface=127.0.0.1: Address already in use", done.stderr)
        log = Path("twistd.log").read_text()
        self.assertIn("Next step: Stop the program that listens there", log)
        self.assertNotIn("Traceback", log)


class ServingTests(TwistdCase):
    """A server that runs."""

    def test_json(self) -> None:
        """Standard output has one JSON object a line for each event, and nothing else."""
        server, port = self.serveJSON()
        with self.connect(port) as tls:
            local = "{}:{}".format(*tls.getsockname())
            tls.sendall("Grüße<EOF>".encode())
            self.assertEqual(tls.recv(100).decode(), "Grüße<EOF>")
            event = server.event()
            self.assertEqual((event["event"], event["connection"], event["peer"]), ("authenticated", 1, local))
            self.assertEqual((event["tls"]["version"], event["tls"]["resumed"]), ("TLSv1.3", False))
            self.assertEqual(event["certificate"]["subject"], "CN=client")
            self.assertLess(abs(datetime.fromisoformat(event["time"]) - NOW), timedelta(hours=1))
            tls.unwrap().close()
        event = server.event()
        self.assertEqual((event["event"], event["connection"], event["failure"]), ("closed", 1, None))
        traffic = [event[name] for name in ("bytesReceived", "bytesSent", "messagesReceived", "messagesSent")]
        self.assertEqual(traffic, [12, 12, 1, 1])

        with self.assertRaises(ssl.SSLError), self.connect(port, None) as tls:
            tls.recv(1)
        event = server.event()
        self.assertEqual((event["event"], event["connection"]), ("refused", 2))
        self.assertEqual(event["failure"]["code"], "no-certificate")

        self.assertEqual(server.stop(), 0)
        self.assertIsNone(server.line())
        self.assertIn("Received SIGTERM", "".join(server.errors))

    def test_bugs(self) -> None:
        """A bug in an application cuts the connection; its traceback is on standard error, not among the events."""
        Path("buggy.py").write_text(
            "from tlscomm.messages import MessageProtocol\n"
            "class Buggy(MessageProtocol):\n"
            "    async def messageReceived(self, message):\n"
            "        print('said by the application')\n"
            "        raise LookupError(message)\n"
        )
        server, port = self.serveJSON("--application", "buggy:Buggy")
        with self.connect(port) as tls:
            tls.sendall(b"bug<EOF>")
            # An end of stream without close_notify, or a reset.
            self.assertRaises(OSError, tls.recv, 100)
        self.assertEqual([server.event()["event"] for _ in range(2)], ["authenticated", "closed"])
        server.stop()
        self.assertIsNone(server.line())
        errors = "".join(server.errors)
        self.assertIn("Traceback", errors)
        self.assertIn("LookupError: bug", errors)
        self.assertIn("said by the application", errors)

    def test_collections(self) -> None:
        """No collection of garbage goes through what is there when it begins, the application's classes included."""
        Path("counting.py").write_text(
            "import gc\n"
            "from tlscomm.messages import MessageProtocol\n"
            "class Counting(MessageProtocol):\n"
            "    async def messageReceived(self, message):\n"
            "        tracked = gc.get_objects()\n"
            "        found = [any(each is one for each in tracked) for one in (Counting, self)]\n"
            "        self.sendMessage('%d %d' % tuple(found))\n"
        )
        _, port = self.serveJSON("--application", "counting:Counting")
        with self.connect(port) as tls:
            tls.sendall(b"?<EOF>")
            self.assertEqual(tls.recv(100), b"0 1<EOF>")

    def test_noOptions(self) -> None:
        """Without a word about certificates it prints a line with all that is needed to talk to it."""
        server = self.serve()
        port, home = server.untilLine(r"tlscomm connect 127\.0\.0\.1:(\d+) --roots (.*)/ca\.pem --identity").groups()
        self.assertEqual(home, str(self.home))
        authority = ensureDevelopmentAuthority(home)
        with self.connect(int(port), authority.client, str(authority.path("ca.pem"))) as tls:
            tls.sendall(b"Hello<EOF>")
            self.assertEqual(tls.recv(100), b"Hello<EOF>")
        server.untilLine("connection 1 from .* closed")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.errors, [])

    def test_orderlyStop(self) -> None:
        """A server that is told to stop ends its open connections in order and tells of it."""
        server, port = self.serveJSON("--application", "greet")
        with self.connect(port) as one, self.connect(port) as other:
            for tls in (one, other):
                tls.sendall(b"Hello<EOF>")
                self.assertEqual(tls.recv(100), b"Hello from the server.<EOF>")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual([tls.recv(100) for tls in (one, other)], [b"", b""])
            for tls in (one, other):
                tls.unwrap().close()
            self.assertEqual(server.ends(), 0)
        events = [server.event() for _ in range(4)]
        self.assertEqual([event["event"] for event in events], ["authenticated", "authenticated", "closed", "closed"])
        self.assertEqual([event["failure"] for event in events[2:]], [None, None])
        self.assertIsNone(server.line())

    def test_unfinished(self) -> None:
        """A server that cuts a message in the middle, when its time is up, says so by its exit status."""
        server, port = self.serveJSON(*PATIENT, "--drain-timeout", "0.2", "--close-timeout", "0.2")
        with self.connect(port) as tls:
            tls.sendall(b"hal")
            server.event()
            # The bytes are read in the turn of the reactor that comes next.
            self.assertEqual(server.stop(), 3)
        self.assertIn("while something is under way", "".join(server.errors))

    def test_secondSignal(self) -> None:
        """A second signal ends at once a server that waits for connections, and its process by that signal."""
        server, port = self.serveJSON(*PATIENT, "--drain-timeout", "0")
        with self.connect(port) as tls:
            tls.sendall(b"hal")
            server.event()
            server.process.send_signal(signal.SIGTERM)
            server.untilError("are open")
            self.assertEqual(server.stop(signal.SIGINT), -signal.SIGINT)

    def test_deafClient(self) -> None:
        """A client that answers nothing does not keep the server from stopping."""
        server, port = self.serveJSON("--close-timeout", "0.5")
        with self.connect(port):
            server.event()
            self.assertEqual(server.stop(signal.SIGINT), 0)
        self.assertEqual(server.event()["failure"]["code"], "close-timeout")

    def test_readerGone(self) -> None:
        """A server whose events nobody reads any more goes on serving."""
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        words = ("--identity", write("server.pem", SERVER), "--client-roots", "ca.pem", "--log-format", "json")
        process = subprocess.Popen(
            python(*TWISTD, "-n", "--pidfile=", "--logfile=twistd.log", "tlscomm", *LISTEN, *words),
            stdout=subprocess.PIPE,
        )
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        with process.stdout as output:
            port = int(json.loads(output.readline())["address"].rpartition(":")[2])
        for _ in range(2):
            with self.connect(port) as tls:
                tls.sendall(b"still there?<EOF>")
                self.assertEqual(tls.recv(100), b"still there?<EOF>")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), 0)
        self.assertEqual(Path("twistd.log").read_text().count("events are lost"), 1)

    def test_daemon(self) -> None:
        """A daemon has its pid file, and its events in twistd's log file."""
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        words = ("--identity", write("server.pem", SERVER), "--client-roots", "ca.pem", "--log-format", "json")
        daemon = ("--pidfile=twistd.pid", "--logfile=twistd.log")
        done = self.run_("tlscomm", *LISTEN, *words, before=daemon)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        pid = int(Path("twistd.pid").read_text())
        try:
            # The parent has waited until the service was started.
            (port,) = re.findall(r'"address": "127\.0\.0\.1:(\d+)"', Path("twistd.log").read_text())
            with self.connect(int(port)) as tls:
                tls.sendall(b"Hello<EOF>")
                self.assertEqual(tls.recv(100), b"Hello<EOF>")
            log = Path("twistd.log").read_text()
        finally:
            os.kill(pid, signal.SIGKILL)
        (line,) = [line for line in log.splitlines() if '"authenticated"' in line]
        self.assertEqual(json.loads(line[line.index("{") :])["certificate"]["subject"], "CN=client")

    def test_manyFiles(self) -> None:
        """A server may have as many connections as it was told, also where a process usually has fewer files."""
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        few = ("sh", "-c", 'ulimit -S -n 32; exec "$@"', "sh", sys.executable)
        server, port = self.serveJSON("--maximum-connections", "60", interpreter=few)
        clients = [self.connect(port) for _ in range(40)]
        for tls in clients:
            tls.sendall(b"Hello<EOF>")
            self.assertEqual(tls.recv(100), b"Hello<EOF>")
            tls.close()
        server.stop()

    def test_privileges(self) -> None:
        """Given up after the port is open, privileges are not missed: the credential was read before."""
        root = os.getuid() == 0
        user = 65534 if root else os.getuid()
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))
        words = ("--identity", write("server.pem", SERVER), "--client-roots", "ca.pem", "--log-format", "json")
        server = self.serve(
            *(*words, "--application", "greet"),
            before=("-n", "--pidfile=", f"--uid={user}", f"--gid={os.getgid()}"),
            interpreter=(sys.executable,),
        )
        port = int(server.event()["address"].rpartition(":")[2])
        with self.connect(port) as tls:
            tls.sendall(b"Hello<EOF>")
            self.assertEqual(tls.recv(100), b"Hello from the server.<EOF>")
        self.assertEqual(server.event()["event"], "authenticated")
        server.stop()
        self.assertIn(f"set uid/gid {user}/", "".join(server.errors))
