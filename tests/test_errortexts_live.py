"""What other programs really print of each fault is in the table of sentences, with the true cause among its causes.

Programs are run that refuse each faulty certificate of the gallery, as clients and as servers, and that are refused.
Each server is started once.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from foreignpeers import (
    LOOPBACK,
    PATIENCE,
    Case,
    FaultyServers,
    clientCases,
    clientCommands,
    demanding,
    freePorts,
    meet,
    otherServers,
    presenting,
    program,
    pythonClient,
    refusedCommands,
    run,
    serverCases,
    writeFiles,
)
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import Certificate, PrivateCertificate, optionsForClientTLS, trustRootFromCertificates
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, connect
from twisted.trial import util
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tlscomm.errortexts import findingsIn

#: Lines that a program prints of what went wrong.
_TELLING = re.compile(r"error|alert|fail|refus|Status: |verify|rejected|no required|curl: \(", re.IGNORECASE)

#: What s_client and curl print beside it, which is no sentence of an error.
_NOT_TELLING = re.compile(
    r"verify return:1|Early data|Verification: OK|verify depth|SSL handshake has read|^[0-9A-Z]{0,4} ?ERROR$|"
    r"could not establish|curl failed to verify|Verify return code: 0|Status: The certificate is trusted|"
    r"setting the verify|More details here|learn more about this|BIO_connect|Error while receiving|"
    r"non-properly terminated|^ *[0-9]* s:|^ *i:|^depth=|subject=|issuer=|^- "
)


def unknown(text: str, case: Case) -> list[str]:
    """Return the lines of an error that are not in the table, or do not have the true cause."""
    wrong = []
    for line in text.splitlines():
        if _TELLING.search(line) and not (_NOT_TELLING.search(line) and "Status: The certificate is NOT" not in line):
            causes = {code for found in findingsIn(line) for code in found.text.causes}
            if not causes & set(case.codes):
                wrong.append(line)
    return wrong


class LiveCase(SynchronousTestCase):
    """Tests with the gallery as files, and faulty servers."""

    folder: ClassVar[Path]
    _running: ClassVar[ExitStack]

    @classmethod
    def setUpClass(cls) -> None:
        with ExitStack() as stack:
            cls.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            writeFiles(cls.folder)
            cls._running = stack.pop_all()

    @classmethod
    def tearDownClass(cls) -> None:
        cls._running.close()

    def servers(self) -> FaultyServers:
        servers = FaultyServers()
        self.addCleanup(servers.close)
        return servers

    def check(self, said: Iterable[tuple[str, Case, str]]) -> None:
        """Check all that was said, and that something was said at all."""
        told = [(name, case, text) for name, case, text in said if text.strip()]
        self.assertGreater(len(told), 10)
        wrong = [(name, case.name, line) for name, case, text in told for line in unknown(text, case)]
        self.assertEqual(wrong, [])


class ClientTests(LiveCase):
    """Clients."""

    def test_thatRefuse(self) -> None:
        """OpenSSL, curl, GnuTLS and Python as clients that meet each faulty server."""
        servers = self.servers()
        cases = [(case, servers.presenting(presenting(self.folder, "server", case.name))) for case in serverCases()]
        cases += [(case, start(servers)) for case, start in otherServers(self.folder)]

        def met(case: Case, port: int) -> Iterator[tuple[str, Case, str]]:
            for name, command in clientCommands(port, case.serverName).items():
                yield name, case, run(*command, folder=self.folder)
            yield "Python", case, pythonClient(port, case.serverName, self.folder)

        with ThreadPoolExecutor(4) as several:
            self.check(each for some in several.map(lambda pair: list(met(*pair)), cases) for each in some)

    def test_thatAreRefused(self) -> None:
        """The same as clients whose certificate the server refuses, and the server's own words, Python's."""
        servers = self.servers()
        context = demanding(self.folder)

        def met() -> Iterator[tuple[str, Case, str]]:
            toldOf: list[tuple[Case, list[str]]] = []
            for case in clientCases():
                if case.name == "chain-too-long":
                    # OpenSSL does not mind it.
                    continue
                # A server may say it after its client has ended, so each case has its own.
                told: list[str] = []
                toldOf.append((case, told))
                port = servers.presenting(context, told)
                for name, command in refusedCommands(port, case.name).items():
                    yield name, case, run(*command, folder=self.folder)
            for case, told in toldOf:
                yield "Python's server", case, "\n".join(text for text in told if "EOF" not in text)

        self.check(met())


class ServerTests(LiveCase):
    """Servers that demand certificates."""

    def met(self, port: int, log: Path) -> Iterator[tuple[str, Case, str]]:
        for case in clientCases():
            if case.name == "chain-too-long":
                # None of these programs minds it.
                continue
            before = log.stat().st_size
            accepted = False
            with contextlib.suppress(OSError):
                meet(port, presenting(self.folder, "client", case.name))
                accepted = True
            yield log.stem, case, self._written(log, before, isDone=accepted and log.stem != "nginx")

    def _written(self, log: Path, before: int, *, isDone: bool) -> str:
        end = time.monotonic() + PATIENCE
        while not isDone and time.monotonic() < end:
            text = log.read_bytes()[before:].decode("utf-8", "replace")
            if re.search(self.ends, text):
                return text
            time.sleep(0.002)
        self.assertTrue(isDone, "it wrote nothing that was awaited")
        return ""

    ends = ""

    def start(self, name: str, *command: str) -> Path:
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return log

    def await_(self, port: int) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                return meet(port, presenting(self.folder, "client", "good"))
            except ConnectionRefusedError:
                time.sleep(0.01)
            except OSError:
                return None
        raise AssertionError("it does not listen")

    def test_openssl(self) -> None:
        """OpenSSL's s_server."""
        (port,) = freePorts(1)
        log = self.start(
            "s_server",
            *(program("openssl"), "s_server", "-accept", f"{LOOPBACK}:{port}", "-cert", "server/good.pem"),
            *("-key", "server/good.key", "-CAfile", "trusted.pem", "-Verify", "9", "-verify_return_error"),
            *("-crl_check_all", "-www"),
        )
        self.ends = r"SSL routines:.*\n"
        self.await_(port)
        self.check(self.met(port, log))

    def test_nginx(self) -> None:
        """nginx's error log."""
        (port,) = freePorts(1)
        places = "".join(
            f"{name}_temp_path {self.folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f"daemon off; master_process off; error_log stderr info; pid {self.folder}/nginx.pid; events {{}}\n"
            f"http {{ access_log off; {places} server {{ listen {LOOPBACK}:{port} ssl; ssl_verify_client on;\n"
            f"ssl_certificate {self.folder}/server/good.pem; ssl_certificate_key {self.folder}/server/good.key;\n"
            f"ssl_client_certificate {self.folder}/roots.pem; ssl_crl {self.folder}/revoked.crl; ssl_verify_depth 9;\n"
            "location / { return 200 ok; } } }\n"
        )
        log = self.start("nginx", program("nginx"), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"))
        self.ends = r"while reading.*\n|closed keepalive|client closed"
        self.await_(port)
        self.check(self.met(port, log))

    def test_stunnel(self) -> None:
        """stunnel's log."""
        port, behind = freePorts(2)
        (self.folder / "stunnel.conf").write_text(
            "foreground=yes\ndebug=warning\noutput=/dev/stdout\nsyslog=no\npid=\n[s]\n"
            f"accept={LOOPBACK}:{port}\nconnect={LOOPBACK}:{behind}\ncert={self.folder}/server/good.pem\n"
            f"key={self.folder}/server/good.key\nCAfile={self.folder}/roots.pem\nCRLfile={self.folder}/revoked.crl\n"
            "verifyChain=yes\n"
        )
        log = self.start("stunnel", program("stunnel"), str(self.folder / "stunnel.conf"))
        self.ends = r"SSL_accept: .*\n|connect_blocking: .*\n|s_connect: .*\n"
        self.await_(port)
        self.check(each for each in self.met(port, log) if "s_connect" not in each[2])

    def test_haproxy(self) -> None:
        """HAProxy's log."""
        port, behind = freePorts(2)
        pair = self.folder / "pair.pem"
        pair.write_bytes(
            (self.folder / "server/good.pem").read_bytes() + (self.folder / "server/good.key").read_bytes()
        )
        (self.folder / "haproxy.cfg").write_text(
            "global\n log stdout format raw local0\ndefaults\n mode tcp\n option tcplog\n log global\n"
            f" timeout connect 5s\n timeout client 5s\n"
            f" timeout server 5s\nfrontend f\n bind {LOOPBACK}:{port} ssl crt {pair} "
            f"ca-file {self.folder}/roots.pem crl-file {self.folder}/revoked.crl verify required\n"
            f" default_backend b\nbackend b\n server s {LOOPBACK}:{behind}\n"
        )
        log = self.start("haproxy", program("haproxy"), "-db", "-f", str(self.folder / "haproxy.cfg"))
        self.ends = r"f/1: .*\n|f~? b/.*\n"
        self.await_(port)
        self.check(each for each in self.met(port, log) if " b/" not in each[2])

    def test_gnutls(self) -> None:
        """GnuTLS's server."""
        (port,) = freePorts(1)
        log = self.start(
            "gnutls-serv",
            *(program("gnutls-serv"), "-p", str(port), "--x509certfile", "server/good.pem", "--x509keyfile"),
            *("server/good.key", "--x509cafile", "roots.pem", "--x509crlfile", "root.crl", "--require-client-cert"),
            *("--verify-client-cert", "--echo"),
        )
        self.ends = r"Error in handshake.*\n"
        self.await_(port)
        self.check(each for each in self.met(port, log) if "Error in handshake" in each[2])


class _Telling(Protocol):
    def __init__(self, told: list[str]) -> None:
        self._told = told

    def connectionMade(self) -> None:
        self.transport.write(b"x")  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = Failure(Exception())) -> None:  # noqa: B008
        self._told.append(repr(reason.value))


@implementer(IOpenSSLContextFactory)
class _Contexts:
    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


def _end(options: Any, isClient: bool, told: list[str]) -> Any:
    factory = TLSMemoryBIOFactory(options, isClient, Factory.forProtocol(lambda: _Telling(told)))
    return factory.buildProtocol(None)  # type: ignore[arg-type]


class TwistedTests(LiveCase):
    """Plain Twisted on both sides, without anything of ours."""

    #: Twisted hands pyOpenSSL its own objects, of which pyOpenSSL warns.
    suppress: ClassVar = [util.suppress(category=DeprecationWarning, message="Passing pyOpenSSL")]

    def _faulty(self, role: str, name: str) -> _Contexts:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        if name != "none":
            context.use_certificate_chain_file(str(self.folder / role / f"{name}.pem"))
            context.use_privatekey_file(str(self.folder / role / f"{name}.key"))
        return _Contexts(context)

    def _say(self, role: str, case: Case) -> tuple[str, str]:
        """Return what the side that judges says of a peer in this role, and what the peer says."""
        judging: list[str] = []
        judged: list[str] = []
        root = Certificate.loadPEM((self.folder / "roots.pem").read_bytes())
        faulty = self._faulty(role, case.name)
        if role == "server":
            strict: Any = optionsForClientTLS(case.serverName, trustRoot=trustRootFromCertificates([root]))
            client, server = _end(strict, True, judging), _end(faulty, False, judged)
        else:
            pair = b"".join((self.folder / f"server/good.{kind}").read_bytes() for kind in ("key", "pem"))
            demands = PrivateCertificate.loadPEM(pair).options(root)
            client, server = _end(faulty, True, judged), _end(demands, False, judging)
        pump = connect(server, FakeTransport(server, isServer=True), client, FakeTransport(client, isServer=False))
        pump.flush()
        return "\n".join(judging), "\n".join(judged)

    def test_refuses(self) -> None:
        """As a client and as a server, of each faulty certificate that it refuses, and what the refused side says."""
        said = []
        for role, cases in (("server", serverCases()), ("client", clientCases())):
            for case in cases:
                # An end without an error is none: without lists and by its own rules it accepts some.
                told = [text for text in self._say(role, case) if text and "ConnectionDone" not in text]
                said += [(f"Twisted, {role}", case, text) for text in told]
        # What service-identity raises in Twisted's callback is logged there.
        self.flushLoggedErrors()
        self.check(said)
        self.assertIn("certificate verify failed", "".join(text for _, _, text in said))
