"""What a user can rely on in ``tlscomm connect``, run as a program against servers on real sockets."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from forkserver import python
from interop import (
    LOOPBACK,
    PATIENCE,
    Echo,
    InteropCase,
    Program,
    authorityFile,
    credential,
    echoing,
    files,
    reactor,
    root,
    serverContext,
    stranger,
)
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from tlscomm.messages import MessageFactory, MessageProtocol
from tlscomm.x509._facts import certificateFacts

COMMAND = ("-W", "error", "-m", "tlscomm.commandline", "connect")

#: Runs a command in a terminal of its own, which is our pipes at the other end.
TERMINAL = (
    *(sys.executable, "-c"),
    "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))",
)

#: Seconds for what is not the subject of a test.
PATIENT = ("--timeout", str(PATIENCE))

CHINESE = "客户端发送的消息，服务器原样返回。"
PASSPHRASE = "correct horse 电池"


class Once(MessageProtocol):
    """Answers one message, and then nothing."""

    def messageReceived(self, message: str | bytes) -> None:
        if self.messagesReceived == 1:
            self.sendMessage(message)


class OnceAndClose(Once):
    """Answers one message, and closes in order."""

    def messageReceived(self, message: str | bytes) -> None:
        super().messageReceived(message)
        self.loseConnection()


class Closing(MessageProtocol):
    """Closes in order at the first message."""

    def messageReceived(self, message: str | bytes) -> None:
        self.loseConnection()


class Cutting(MessageProtocol):
    """Answers one message and cuts the connection at the second."""

    def messageReceived(self, message: str | bytes) -> None:
        if self.messagesReceived == 1:
            self.sendMessage(message)
        else:
            self.transport.abortConnection()  # type: ignore[union-attr]


class Hostile(MessageProtocol):
    """Answers with what a terminal would obey."""

    def messageReceived(self, message: str | bytes) -> None:
        self.sendMessage("\x1b[31mred\x07")


class Silent(Factory):
    """Accepts TCP connections.

    Attributes:
        connected: fires at the first.
    """

    protocol = Protocol

    def __init__(self) -> None:
        self.connected: Deferred[None] = Deferred()

    def buildProtocol(self, addr: Any) -> Protocol:
        self.connected.callback(None)
        return Protocol()


def serving(protocol: type[MessageProtocol], framing: str = "eof") -> MessageFactory:
    return MessageFactory(protocol, framing=framing, readTimeout=PATIENCE)


def answerAndCut(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Answer one message, and close TCP without a word of TLS. For a thread."""
    with listener:
        listener.settimeout(PATIENCE)
        tcp, _ = listener.accept()
        tcp.settimeout(PATIENCE)
        with context.wrap_socket(tcp, server_side=True) as tls:
            tls.sendall(tls.recv(1024))


def messagesFile(name: str, size: int, *, rest: str = "") -> bytes:
    """Write a file of messages of every length, and return its content."""
    letters = random.Random(size)
    characters = CHINESE + "abc <EO\r\n🙂"
    messages = []
    while sum(map(len, messages)) * 3 < size:
        messages.append("".join(letters.choices(characters, k=letters.choice([0, 1, 10, 1000, 30_000]))))
    content = ("".join(f"{message}<EOF>" for message in messages) + rest).encode()
    Path(name).write_bytes(content)
    return content


class ConnectCase(InteropCase):
    """Runs the command."""

    def command(self, port: int, *options: str, **settings: Any) -> tuple[str, ...]:
        """Return a command that trusts the root and has a certificate of a kind, or none."""
        return python(*self.words(port, *options, **settings))

    def words(self, port: int, *options: str, host: str = "localhost", kind: str | None = "good") -> tuple[str, ...]:
        """Return what comes after the interpreter in such a command."""
        identity = () if kind is None else ("--identity", files("client", kind))
        return (*COMMAND, f"{host}:{port}", *identity, "--roots", authorityFile(), *PATIENT, *options)

    def connectTo(self, port: int, *options: str, **settings: Any) -> Program:
        program = self.spawn(*self.command(port, *options, **settings))
        if "-" not in options:
            program.endInput()
        return program

    async def ending(self, program: Program, status: int) -> None:
        """Await the end of a command, and check its exit status."""
        self.assertEqual(await program.ends(), status, program.text)

    async def object(self, program: Program, status: int) -> dict[str, Any]:
        """Await the end of a command with ``--json``, and return all that it printed."""
        await self.ending(program, status)
        self.assertEqual(program.printed, program.output, "nothing is said besides")
        printed: dict[str, Any] = json.loads(program.output)
        self.assertEqual(
            list(printed),
            ["outcome", "failure", "tls", "peer", "acceptance", "replies", "unasked"],
            "the same keys always",
        )
        return printed

    def listen(self) -> tuple[int, Deferred[None]]:
        """Listen without ever saying a word; return the port, and what fires when somebody has connected."""
        factory = Silent()
        port = reactor.listenTCP(0, factory, interface=LOOPBACK)
        self.addCleanup(port.stopListening)
        return port.getHost().port, factory.connected

    async def serveAnd(self, protocol: type[MessageProtocol], framing: str = "eof") -> int:
        return await self.serve(serving(protocol, framing))


class AcceptedTests(ConnectCase):
    """Connections that both sides accept."""

    async def test_replies(self) -> None:
        """Each reply is a line of standard output, in the order of the messages."""
        program = self.connectTo(await self.serveAnd(Echo), "--message", CHINESE, "--message", "two\nlines")
        await self.ending(program, 0)
        self.assertEqual(program.output.decode(), f"{CHINESE}\ntwo\nlines\n")

    async def test_facts(self) -> None:
        """What was agreed, and with whom, is on standard error in four lines."""
        program = self.connectTo(await self.serveAnd(Echo), "--maximum-tls", "1.2")
        await self.ending(program, 0)
        self.assertEqual(program.output, b"")
        facts = certificateFacts(credential("server").certificate)
        lines = program.text.splitlines()
        self.assertRegex(lines[0], r"^Connected +127\.0\.0\.1:\d+, TLSv1\.2, ECDHE-ECDSA-\S+, \S+$")
        self.assertEqual(lines[1].split(maxsplit=1), ["Server", f"{facts.subject}, until {facts.notAfter}"])
        self.assertEqual(lines[2].strip(), facts.fingerprint)
        self.assertEqual(lines[3].split(), ["Acceptance", "seen"])
        self.assertEqual(len(lines), 4)

    async def test_noMessage(self) -> None:
        """Without a message the connection is made and closed in order."""
        program = self.connectTo(await self.serveAnd(Echo))
        await self.ending(program, 0)
        self.assertIsNone(await self.record.next("closed"))

    async def test_json(self) -> None:
        """With ``--json`` one object says all that is known of an accepted connection."""
        port = await self.serveAnd(Echo)
        for version in ("1.2", "1.3"):
            options = ("--minimum-tls", version, "--maximum-tls", version, "--message", CHINESE, "--message", "")
            said = await self.object(self.connectTo(port, "--json", *options), 0)
            self.assertEqual((said["outcome"], said["failure"], said["acceptance"]), ("accepted", None, "seen"))
            self.assertEqual(said["replies"], [CHINESE, ""])
            self.assertEqual(
                set(said["tls"]),
                {"version", "cipher", "group", "alpn", "resumed", "serverName", "choice", "ja4"},
                "as documented",
            )
            self.assertEqual((said["tls"]["version"], said["tls"]["resumed"]), (f"TLSv{version}", False))
            self.assertEqual(said["tls"]["serverName"], "localhost")
            self.assertEqual(said["peer"]["names"], ["dns:localhost", "ip:127.0.0.1"])
            self.assertEqual(len(said["peer"]["chain"]), 1)

    async def test_otherName(self) -> None:
        """``--server-name`` is whom the certificate has to be for, whatever the host is called."""
        port = await self.serve(echoing("eof"), credential=credential("server", "other-name"))
        program = self.connectTo(port, "--server-name", "other.example", "--json")
        self.assertEqual((await self.object(program, 0))["tls"]["serverName"], "other.example")

    async def test_framings(self) -> None:
        """Every framing carries messages; what is not text is base64 in JSON."""
        Path("binary").write_bytes(b"\xff\x00,")
        for framing in ("netstring", "int32"):
            port = await self.serveAnd(Echo, framing)
            options = ("--framing", framing, "--message", CHINESE, "--message-file", "binary", "--json")
            said = await self.object(self.connectTo(port, *options), 0)
            self.assertEqual(said["replies"], [CHINESE, {"base64": "/wAs"}])

    async def test_listening(self) -> None:
        """Who listens is told that the server has ended, and nothing is said of that otherwise."""
        for options, isSaid in ((("--listen",), True), ((), False)):
            program = self.connectTo(await self.serveAnd(OnceAndClose), "--message", "a", *options)
            await self.ending(program, 0)
            self.assertEqual("The server has ended the connection" in program.text, isSaid)

    async def test_resumed(self) -> None:
        """It says of a second connection whether it was resumed."""
        for settings, said in (({}, "Resumed     yes"), ({"resumption": False}, "Resumed     no: the server gave")):
            program = self.connectTo(await self.serve(serving(Echo), **settings), "--resume", "--message", "a")
            await self.ending(program, 0)
            self.assertEqual(program.output, b"a\n")
            self.assertIn(said, program.text)

    async def test_standardInput(self) -> None:
        """A pipe is sent without an option, and what a server says unasked is told from replies."""
        program = self.spawn(*self.command(await self.serveAnd(Echo), "--json"))
        program.say("one<EOF>two")
        program.endInput()
        self.assertEqual((await self.object(program, 0))["replies"], ["one", "two"])

    async def test_openssl(self) -> None:
        """A server that is not ours answers."""
        server = self.spawn(
            *("openssl", "s_server", "-accept", f"{LOOPBACK}:0", "-rev", "-Verify", "1", "-verify_return_error"),
            *("-cert", files("server"), "-CAfile", authorityFile()),
        )
        port = int((await server.prints(r"ACCEPT \S+:(\d+)")).group(1))
        program = self.connectTo(port, "--framing", "line", "--message", "abc", "--message", "def")
        await self.ending(program, 0)
        self.assertEqual(program.output, b"cba\nfed\n")

    async def test_noCloseNotify(self) -> None:
        """A server that cuts the connection after its last reply has answered everything, and nothing is missing."""
        for options in (("--message", "a"), ("--message-file", "a")):
            listener = socket.create_server((LOOPBACK, 0))
            Path("a").write_text("a<EOF>")
            served = deferToThread(answerAndCut, listener, serverContext())
            program = self.connectTo(listener.getsockname()[1], *options)
            await self.ending(program, 0)
            self.assertEqual(program.output, b"a\n")
            await served


class TracedTests(ConnectCase):
    """What ``--trace`` shows."""

    async def test_lines(self) -> None:
        """What passes is on standard error, a line each, then the diagram; replies stay alone on standard output."""
        port = await self.serveAnd(Echo)
        program = self.connectTo(port, "--trace", "--message", "a", "--capture", "a.pcapng", "--keylog", "a.keys")
        await self.ending(program, 0)
        self.assertEqual(program.output, b"a\n")
        self.assertRegex(program.text, r"(?m)^ +[0-9.]+ m?s  client  ClientHello: what the client can do; \S+ bytes$")
        self.assertRegex(program.text, r"(?m)^ +[0-9.]+ m?s  server  NewSessionTicket: .*$")
        self.assertRegex(program.text, r"(?m)^accepted, certain$")
        self.assertEqual(program.text.count("RFC 9850"), 2, "it warns of both files")
        for name in ("a.pcapng", "a.keys"):
            self.assertEqual(Path(name).stat().st_mode & 0o777, 0o600)
            self.assertIn(b"SERVER_TRAFFIC_SECRET_0", Path(name).read_bytes())

    async def test_json(self) -> None:
        """With ``--json`` the object has the trace; of a refusal too."""
        port = await self.serveAnd(Echo)
        program = self.connectTo(port, "--trace", "--json", kind=None)
        await self.ending(program, 1)
        said = json.loads(program.output)
        self.assertEqual(program.printed, program.output, "nothing is said besides")
        self.assertEqual(said["trace"]["verdict"]["code"], said["failure"]["code"])
        self.assertEqual(said["trace"]["events"][2]["name"], "ClientHello")


class FileTests(ConnectCase):
    """``--message-file``."""

    async def test_file(self) -> None:
        """Megabytes of messages come back byte for byte with ``--raw``, also where the last one has no delimiter."""
        port = await self.serve(echoing("eof"))
        for rest in ("", "the rest\n"):
            content = messagesFile("messages", 4_000_000, rest=rest)
            program = self.connectTo(port, "--message-file", "messages", "--raw")
            await self.ending(program, 0)
            self.assertTrue(program.output == content, f"{len(program.output)} and {len(content)} bytes differ")

    async def test_pipe(self) -> None:
        """Standard input may be the file, and a pipe."""
        content = messagesFile("messages", 1_000_000)
        program = self.connectTo(await self.serve(echoing("eof")), "--message-file", "-", "--raw")
        program.say(content)
        program.endInput()
        await self.ending(program, 0)
        self.assertTrue(program.output == content)

    async def test_lines(self) -> None:
        """With the framing ``line`` each line is a message, the last one also without its end."""
        Path("lines").write_text(f"a\r\n\n{CHINESE}")
        options = ("--framing", "line", "--message-file", "lines", "--json")
        said = await self.object(self.connectTo(await self.serveAnd(Echo, "line"), *options), 0)
        self.assertEqual(said["replies"], ["a", "", CHINESE])

    async def test_whole(self) -> None:
        """With ``netstring`` and ``int32`` the whole file is one message, of any bytes."""
        content = random.Random(1).randbytes(3_000_000)
        Path("file").write_bytes(content)
        for framing in ("netstring", "int32"):
            options = ("--framing", framing, "--message-file", "file", "--raw", "--maximum-message", "3000000")
            program = self.connectTo(await self.serve(echoing(framing)), *options)
            await self.ending(program, 0)
            self.assertTrue(program.output == content)

    async def test_textsFirst(self) -> None:
        """Texts are sent before the file."""
        Path("file").write_text("b<EOF>c")
        options = ("--message-file", "file", "--message", "a", "--json")
        said = await self.object(self.connectTo(await self.serveAnd(Echo), *options), 0)
        self.assertEqual(said["replies"], ["a", "b", "c"])

    async def test_conversation(self) -> None:
        """A program that holds both pipes can ask, read the answer, and ask again."""
        program = self.connectTo(await self.serveAnd(Echo, "line"), "--framing", "line", "--message-file", "-")
        for question in (b"one\n", b"two\n"):
            so_far = len(program.output)
            program.say(question)
            await program.outputs(so_far + len(question))
        self.assertEqual(program.output, b"one\ntwo\n")
        program.endInput()
        await self.ending(program, 0)
        self.assertIsNone(await self.record.next("closed"))

    async def test_tooLong(self) -> None:
        """A message in the file that is too long is named with its number, after the replies to those before it."""
        Path("file").write_text(f"a<EOF>{'b' * 5}<EOF>c<EOF>")
        options = ("--message-file", "file", "--maximum-message", "4", "--json")
        said = await self.object(self.connectTo(await self.serveAnd(Echo), *options), 1)
        self.assertEqual((said["failure"]["code"], said["failure"]["side"]), ("message-too-long", "local"))
        self.assertIn("message 2 of the file", said["failure"]["message"])
        self.assertEqual(said["replies"], ["a"])

    async def test_notText(self) -> None:
        """A file that is not UTF-8, and has to be, is refused by name."""
        Path("file").write_bytes(b"a<EOF>\xff<EOF>")
        program = self.connectTo(await self.serveAnd(Echo), "--message-file", "file")
        await self.ending(program, 1)
        self.assertIn("\nundecodable: ", program.text)
        self.assertEqual(program.output, b"a\n")

    async def test_unreadable(self) -> None:
        """A file that breaks while it is read is a failure with its name."""
        program = self.connectTo(await self.serveAnd(Echo), "--message-file", "/proc/self/mem", "--json")
        said = await self.object(program, 1)
        self.assertEqual(said["failure"]["code"], "unreadable")
        self.assertIn("/proc/self/mem", said["failure"]["message"])


class FailedTests(ConnectCase):
    """Connections that fail, and the names that they fail with."""

    async def test_refused(self) -> None:
        """A refusal by the server has its name in every version, and nothing was sent."""
        port = await self.serveAnd(Echo)
        for version in ("1.2", "1.3"):
            options = ("--minimum-tls", version, "--maximum-tls", version, "--message", "a", "--json")
            said = await self.object(self.connectTo(port, *options, kind=None), 1)
            self.assertEqual((said["outcome"], said["failure"]["code"]), ("failed", "no-certificate"))
            self.assertEqual(said["failure"]["side"], "remote")
            self.assertEqual(said["failure"]["peer"], f"{LOOPBACK}:{port}")
            self.assertEqual((said["tls"], said["peer"], said["acceptance"], said["replies"]), (None, None, None, []))
        self.assertEqual(self.record.count("accepted"), 0)

    async def test_words(self) -> None:
        """People read the code, what happened, what to do next and where there is more, on standard error."""
        port = await self.serve(echoing("eof"), credential=credential("server", "other-name"))
        program = self.connectTo(port, "--message", "a")
        await self.ending(program, 1)
        self.assertEqual(program.output, b"")
        first, following, more = program.text.splitlines()
        self.assertRegex(first, r"^name-mismatch: The peer's certificate is for another name: .*other\.example")
        self.assertRegex(following, r"^Next  Connect by a name in the certificate \(--server-name\)")
        self.assertEqual(more, "More  tlscomm explain name-mismatch")

    async def test_untrusted(self) -> None:
        """A server whose issuer is not trusted is refused, and its certificate is in the failure."""
        command = python(
            *COMMAND, f"localhost:{await self.serveAnd(Echo)}", "--roots", authorityFile(stranger), "--json"
        )
        said = await self.object(self.spawn(*command), 1)
        self.assertEqual((said["failure"]["code"], said["failure"]["side"]), ("unknown-issuer", "local"))
        presented = certificateFacts(credential("server").certificate)
        self.assertEqual(said["failure"]["certificate"]["fingerprint"], presented.fingerprint)

    async def test_revoked(self) -> None:
        """A server whose certificate is on a list that ``--crl`` names is refused."""
        crl = root().revocationList([credential("server").certificate.serial_number])
        Path("crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))
        program = self.connectTo(await self.serveAnd(Echo), "--crl", "crl.pem", "--json")
        self.assertEqual((await self.object(program, 1))["failure"]["code"], "revoked")

    async def test_nothingListens(self) -> None:
        """Where nothing listens the failure names the address that was tried."""
        port = reactor.listenTCP(0, Factory(), interface=LOOPBACK)
        number = port.getHost().port
        await port.stopListening()
        said = await self.object(self.connectTo(number, "--json", host=LOOPBACK), 1)
        self.assertEqual((said["failure"]["code"], said["failure"]["peer"]), ("connect-failed", f"{LOOPBACK}:{number}"))

    async def test_noSuchHost(self) -> None:
        """A name that nobody has (RFC 6761) is a failure to connect."""
        for host in ("nobody.invalid", "no_body.invalid"):
            said = await self.object(self.connectTo(1, "--json", host=host), 1)
            self.assertEqual((said["failure"]["code"], said["failure"]["peer"]), ("connect-failed", f"{host}:1"))
            self.assertIn("resolver", said["failure"]["nextStep"])

    async def test_stalled(self) -> None:
        """A server that does not shake hands is given up after ``--timeout``."""
        port, _ = self.listen()
        program = self.connectTo(port, "--json", "--timeout", "1")
        self.assertEqual((await self.object(program, 1))["failure"]["code"], "handshake-timeout")

    async def test_silent(self) -> None:
        """A server that does not reply is given up after ``--timeout``; replies that came before are there."""
        options = ("--json", "--timeout", "1", "--message", "a", "--message", "b")
        said = await self.object(self.connectTo(await self.serveAnd(Once), *options), 1)
        self.assertEqual((said["outcome"], said["failure"]["code"]), ("failed", "read-timeout"))
        self.assertEqual((said["replies"], said["acceptance"]), (["a"], "seen"))
        self.assertEqual(said["peer"]["subject"], "CN=localhost")

    async def test_closed(self) -> None:
        """A server that closes in order before it has sent anything has refused us."""
        said = await self.object(self.connectTo(await self.serveAnd(Closing), "--json", "--message", "a"), 1)
        self.assertEqual((said["failure"]["code"], said["failure"]["side"]), ("refused", "remote"))

    async def test_cut(self) -> None:
        """A connection that is cut is named, after the replies that came before."""
        program = self.connectTo(await self.serveAnd(Cutting), "--message", "a", "--message", "b")
        await self.ending(program, 1)
        self.assertEqual(program.output, b"a\n")
        self.assertRegex(program.text, r"\n(reset|truncated): ")

    async def test_closedAfterAll(self) -> None:
        """A server may close once it has answered everything, also while more could have come."""
        program = self.connectTo(await self.serveAnd(OnceAndClose), "--message-file", "-", "--raw")
        program.say(b"a<EOF>")
        await program.outputs(len(b"a<EOF>"))
        await self.record.next("closed")
        program.endInput()
        await self.ending(program, 0)
        self.assertEqual(program.output, b"a<EOF>")

    async def test_closedTooEarly(self) -> None:
        """A message that comes after the server has closed is one that was not sent."""
        program = self.connectTo(await self.serveAnd(OnceAndClose), "--message-file", "-", "--json")
        program.say(b"a<EOF>")
        await self.record.next("closed")
        program.say(b"b<EOF>")
        said = await self.object(program, 1)
        self.assertEqual((said["failure"]["code"], said["replies"]), ("truncated", ["a"]))
        self.assertIn("before every message was sent", said["failure"]["message"])


class InterruptedTests(ConnectCase):
    """Ends that are not the server's."""

    async def test_interrupt(self) -> None:
        """Ctrl-C ends a conversation at once, without a traceback and with the status that shells expect."""
        for name, status in (("INT", 130), ("TERM", 143)):
            program = self.connectTo(await self.serveAnd(Closing), "--message-file", "-")
            await program.prints("Acceptance")
            program.transport.signalProcess(name)
            await self.ending(program, status)
            self.assertNotIn("Traceback", program.text)

    async def test_interruptedHandshake(self) -> None:
        """Ctrl-C ends an attempt to connect."""
        port, connected = self.listen()
        program = self.connectTo(port)
        await connected
        program.transport.signalProcess("INT")
        await self.ending(program, 128 + signal.SIGINT)
        self.assertEqual(program.text, "")

    async def test_nobodyReads(self) -> None:
        """Where nobody reads the replies any more it ends, without a word."""
        messagesFile("messages", 4_000_000)
        command = self.command(await self.serve(echoing("eof")), "--message-file", "messages")
        program = self.spawn("sh", "-c", '"$@" 2>errors | head -c 9', "sh", *command)
        await program.ends()
        self.assertEqual(len(program.output), 9)
        self.assertEqual(len(Path("errors").read_text().splitlines()), 4)

    async def test_full(self) -> None:
        """Replies that cannot be written are an error that says why."""
        command = self.command(await self.serveAnd(Echo), "--message", "a")
        program = self.spawn("sh", "-c", '"$@" > /dev/full', "sh", *command)
        await self.ending(program, 1)
        self.assertIn("Error: standard output cannot be written: No space left on device", program.text)
        self.assertNotIn("Traceback", program.text)


class TerminalTests(ConnectCase):
    """With a person at the other end."""

    def encrypted(self) -> tuple[str, ...]:
        """Write the client's credential to an encrypted PFX, and return how to name it."""
        made = credential("client")
        encryption = BestAvailableEncryption(PASSPHRASE.encode())
        key: Any = made.privateKey
        path = Path("client.pfx")
        path.touch(mode=0o600)
        path.write_bytes(pkcs12.serialize_key_and_certificates(None, key, made.certificate, None, encryption))
        return ("--identity", "client.pfx")

    async def test_prompt(self) -> None:
        """A person is asked for the pass phrase, may mistype it, and does not see it."""
        words = self.words(await self.serveAnd(Echo), *self.encrypted(), "--message", "a", kind=None)
        program = self.spawn(*TERMINAL, sys.executable, *words)
        await program.prints("Pass phrase for client.pfx: ")
        program.say("wrong horse\n")
        await program.prints("(?s)the last one was wrong.*: ")
        program.say(f"{PASSPHRASE}\n")
        await self.ending(program, 0)
        self.assertNotIn("horse", program.text)
        self.assertRegex(program.text, r"(?m)^a\r$")

    async def test_conversation(self) -> None:
        """Without messages it is a conversation: what is typed is sent, what comes is shown, Ctrl-D ends in order."""
        self.patch(os, "environ", {**os.environ, "XDG_STATE_HOME": os.path.abspath("state"), "TERM": "xterm"})
        words = self.words(await self.serveAnd(Hostile))
        program = self.spawn(*TERMINAL, sys.executable, *words)
        await program.prints(r"Ctrl-D ends in order(?s:.*)\?2004h")
        program.say("Hello\r")
        await program.prints(r"\\x1b\[31mred\\x07")
        program.say("\x04")
        await self.ending(program, 0)
        history = Path("state/tlscomm/history")
        self.assertIn("+Hello\n", history.read_text())
        self.assertEqual(history.stat().st_mode & 0o777, 0o600)

    async def test_peerEnds(self) -> None:
        """A conversation that the server breaks off ends with the name of why."""
        self.patch(os, "environ", {**os.environ, "TERM": "xterm"})
        words = self.words(await self.serveAnd(Cutting), "--no-history")
        program = self.spawn(*TERMINAL, sys.executable, *words)
        await program.prints(r"\?2004h")
        program.say("a\r")
        program.say("b\r")
        await self.ending(program, 1)
        self.assertRegex(program.text, "truncated|reset")

    async def test_threeTries(self) -> None:
        """After the third wrong pass phrase the failure has its name."""
        program = self.spawn(*TERMINAL, sys.executable, *self.words(1, *self.encrypted(), kind=None))
        for count in range(1, 4):
            await program.prints(f"(?s)(Pass phrase for.*){{{count}}}: ")
            program.say("wrong horse\n")
        await self.ending(program, 1)
        self.assertIn("tlscomm explain passphrase-wrong", program.text)

    async def test_noTerminal(self) -> None:
        """Without a terminal nobody is asked, and the failure says that a pass phrase is needed."""
        program = self.connectTo(1, *self.encrypted(), "--json", kind=None)
        said = await self.object(program, 1)
        self.assertEqual((said["failure"]["code"], said["failure"]["stage"]), ("passphrase-required", "credential"))

    async def test_passphraseFile(self) -> None:
        """The pass phrase may stand in a file."""
        Path("phrase").write_text(f"{PASSPHRASE}\n")
        options = (*self.encrypted(), "--passphrase-file", "phrase")
        await self.ending(self.connectTo(await self.serveAnd(Echo), *options, kind=None), 0)

    async def test_harmless(self) -> None:
        """A terminal does not get to obey what a server sends."""
        program = self.spawn(*TERMINAL, sys.executable, *self.words(await self.serveAnd(Hostile), "--message", "a"))
        await self.ending(program, 0)
        self.assertRegex(program.text, r"(?m)^\\x1b\[31mred\\x07\r$")

    async def test_messagesFromTerminal(self) -> None:
        """Messages are not read from a terminal: that is wrong usage."""
        program = self.spawn(*TERMINAL, sys.executable, *self.words(1, "--message-file", "-"))
        await self.ending(program, 2)
        self.assertIn("a file or a pipe, not a terminal", program.text)
