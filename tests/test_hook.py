"""The hook: what it is asked, and what becomes of its answer. Each holds under both versions and on both sides."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from conversation import (
    AUTHORITY,
    CLIENT,
    ROOTS,
    SERVER,
    STRANGER,
    VERSIONS,
    ConversationCase,
    clientConfiguration,
    serverConfiguration,
)
from cryptography import x509
from hooks import OTHER, Asked, ended, everywhere
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, CertificateOptions, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules
from tlscomm.configuration import ExternalContextConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.failures import (
    CODES,
    CertificateFailure,
    Expired,
    FileNotFound,
    HookFailed,
    Problem,
    Revoked,
    TLSFailure,
)
from tlscomm.issuing import Authority
from tlscomm.tls import State, TLSConnection, handshake, pump
from tlscomm.verification import Answer, Question, accept, insecurelyAccept, refuse

NOW = datetime.now(timezone.utc)


def made(role: str, authority: Authority = AUTHORITY, **details: Any) -> Any:
    names = {"dnsNames": ["localhost"]} if role == "server" else {}
    return authority.issue(role, role=role, **{**names, **details})  # type: ignore[arg-type]


def expired(role: str, authority: Authority = AUTHORITY) -> Any:
    return made(role, authority, notBefore=NOW - timedelta(days=3), notAfter=NOW - timedelta(days=1))


def constrained(role: str) -> Any:
    """A certificate with a name that its authority must not give; OpenSSL finds that after the certificate itself."""
    constraints = x509.NameConstraints([x509.DNSName("elsewhere.example")], None)
    issuer = AUTHORITY.intermediate("constrained", extensions=[(constraints, True)])
    return issuer.issue(role, role=role, dnsNames=["localhost"])  # type: ignore[arg-type]


class HookCase(SynchronousTestCase):
    def shaken(
        self, version: str, role: str, hook: Any, credential: Any = None, **settings: Any
    ) -> tuple[TLSConnection, TLSConnection]:
        """Shake hands; return the side with the hook, and its peer.

        Args:
            version: of TLS.
            role: the side that has the hook.
            hook: is asked about the peer.
            credential: what the peer presents.
            settings: more settings of the side with the hook.
        """
        versions = {"minimumTLS": version, "maximumTLS": version}
        client = clientConfiguration(**versions, **({"hook": hook, **settings} if role == "client" else {}))
        server = serverConfiguration(**versions, **({"hook": hook, **settings} if role == "server" else {}))
        if credential is not None and role == "client":
            server = insecurelyPresenting(server, credential)
        elif credential is not None:
            client = insecurelyPresenting(client, credential)
        sides = dict(zip(("client", "server"), handshake(client, server), strict=True))
        return sides[role], sides[OTHER[role]]

    def assertAccepted(self, *sides: TLSConnection) -> None:
        for side in sides:
            self.assertIs(side.state, State.OPEN, repr(side.failure))

    def assertRefused(self, asking: TLSConnection, peer: TLSConnection, code: str, heard: str) -> TLSFailure:
        """The side with the hook has refused the other one by this name, which has heard that one."""
        assert asking.failure is not None and peer.failure is not None, (asking.state, peer.state)
        self.assertEqual((asking.failure.code, asking.failure.side), (code, "local"))
        self.assertEqual((peer.failure.code, peer.failure.side), (heard, "remote"))
        assert asking.failure.alert is not None and peer.failure.alert is not None
        self.assertEqual(asking.failure.alert.number, peer.failure.alert.number)
        self.assertFalse(asking.isAccepted or peer.isAccepted)
        return asking.failure


class AnswerTests(HookCase):
    """What a hook may say, and what it comes to."""

    def test_accepts(self) -> None:
        """True and accept() let a good peer in; the hook is asked once."""
        for version, role in everywhere():
            for answer in (True, accept()):
                hook = Asked(answer)
                self.assertAccepted(*self.shaken(version, role, hook))
                self.assertEqual(len(hook.questions), 1)

    def test_refuses(self) -> None:
        """A peer is refused with the hook's reason, which it does not hear; it hears that it is not allowed."""
        for version, role in everywhere():
            failure = self.assertRefused(
                *self.shaken(version, role, Asked(refuse("the account is closed"))), "refused-by-hook", "not-allowed"
            )
            self.assertIn("the account is closed", str(failure))
            self.assertEqual(failure.stage, "authorization")
            self.assertEqual(failure.certificate, failure.chain[0])

    def test_refusesByCode(self) -> None:
        """A refusal may have any code that speaks of a certificate, and the peer hears the alert that fits."""
        for version, role in everywhere():
            for code in ("revoked", "expired", "not-allowed", "unknown-issuer"):
                answer = refuse("says the registry", code=code)
                self.assertRefused(*self.shaken(version, role, Asked(answer)), code, code)

    def test_keepsItsCode(self) -> None:
        """Whatever else is wrong with the peer, the failure has the code and the reason that the hook chose."""
        codes = [code for code, kind in CODES.items() if issubclass(kind, CertificateFailure)]
        for version, role in everywhere():
            for credential in (None, expired(OTHER[role])):
                for code in codes:
                    asking, _ = self.shaken(version, role, Asked(refuse("says the registry", code=code)), credential)
                    assert asking.failure is not None
                    self.assertEqual((asking.failure.code, asking.failure.side), (code, "local"))
                    self.assertIn("says the registry", str(asking.failure))

    def test_raisesAFailure(self) -> None:
        """A failure that the hook makes and raises is its refusal, with its code and the peer's certificate."""
        for version, role in everywhere():
            asking, peer = self.shaken(version, role, Asked(Revoked("says the registry")))
            failure = self.assertRefused(asking, peer, "revoked", "revoked")
            self.assertIn("says the registry", str(failure))
            self.assertEqual(failure.certificate, failure.chain[0])

    def test_raisesAnothersFailure(self) -> None:
        """A failure of another connection, which the hook has made to find its answer, says nothing of this peer."""
        for raised in (
            Expired("the database's", peer="192.0.2.1:5432"),
            Revoked(side="remote"),
            HookFailed("of another"),
            FileNotFound("accounts.txt"),
        ):
            asking, _ = self.shaken("1.3", "server", Asked(raised))
            assert asking.failure is not None
            self.assertEqual(asking.failure.code, "hook-failed")

    def test_refusesWithoutReason(self) -> None:
        """False refuses."""
        for version, role in everywhere():
            self.assertRefused(*self.shaken(version, role, Asked(False)), "refused-by-hook", "not-allowed")

    def test_aHostileReason(self) -> None:
        """A reason that a hook copies from a certificate cannot forge a line of the log."""
        asking, _ = self.shaken("1.3", "server", Asked(refuse("evil\r\n\x1b[2J")))
        self.assertTrue(str(asking.failure).isprintable())

    def test_raises(self) -> None:
        """What a hook raises refuses, and the failure says what it was; CancelledError is nothing special."""
        for version, role in everywhere():
            for raised in (ZeroDivisionError("of all things"), CancelledError("stopped")):
                asking, peer = self.shaken(version, role, Asked(raised))
                assert asking.failure is not None and peer.failure is not None
                self.assertEqual((asking.failure.code, asking.failure.side), ("hook-failed", "local"))
                self.assertIn(str(raised), str(asking.failure))
                self.assertIs(asking.failure.__cause__, raised)
                self.assertEqual(peer.failure.side, "remote")

    def test_noAnswer(self) -> None:
        """A return value that is no answer refuses: None, a text, a number, a class."""
        for version, role in everywhere():
            for answer in (None, "yes", 1, 0, Answer):
                asking, _ = self.shaken(version, role, Asked(answer))
                assert asking.failure is not None
                self.assertEqual(asking.failure.code, "hook-failed")

    def test_unknownCodes(self) -> None:
        """A code that does not exist, or speaks of something else, is refused when the answer is made."""
        for make in (accept, lambda code: refuse(code=code), lambda code: Answer(code=code)):
            for code in ("no-such-code", "reset", "file-not-found", ""):
                with self.assertRaises(ValueError):
                    make(code)

    def test_aHookThatMakesNoAnswer(self) -> None:
        """A hook with a wrong code in it has failed."""
        asking, _ = self.shaken("1.3", "server", lambda _: refuse(code="banned"))
        assert asking.failure is not None
        self.assertEqual(asking.failure.code, "hook-failed")


class OverrulingTests(HookCase):
    """A hook overrules what it names, and nothing else."""

    def test_byCode(self) -> None:
        """What is named by its code does not count, and is a warning from then on."""
        for version, role in everywhere():
            hook = Asked(accept("expired"))
            asking, peer = self.shaken(version, role, hook, expired(OTHER[role]))
            self.assertAccepted(asking, peer)
            self.assertEqual([problem.code for problem in hook.question.problems], ["expired"])
            assert asking.peer is not None
            self.assertIn("expired", [warning.code for warning in asking.peer.warnings])

    def test_byProblem(self) -> None:
        """What is named as the problem itself does not count."""
        for version, role in everywhere():
            sides = self.shaken(version, role, lambda question: accept(*question.problems), expired(OTHER[role]))
            self.assertAccepted(*sides)

    def test_nothing(self) -> None:
        """Who accepts and names nothing accepts no bad certificate."""
        for version, role in everywhere():
            for answer in (True, accept()):
                sides = self.shaken(version, role, Asked(answer), expired(OTHER[role]))
                self.assertRefused(*sides, "expired", "expired")

    def test_oneOfTwo(self) -> None:
        """Who overrules one of two problems refuses by the other one."""
        for version, role in everywhere():
            credential = expired(OTHER[role], STRANGER)
            hook = Asked(accept("expired"))
            failure = self.assertRefused(
                *self.shaken(version, role, hook, credential), "unknown-issuer", "unknown-issuer"
            )
            self.assertEqual({each.code for each in hook.question.problems}, {"expired", "unknown-issuer"})
            self.assertEqual([each.code for each in failure.problems], ["unknown-issuer"])
            self.assertAccepted(*self.shaken(version, role, Asked(accept("expired", "unknown-issuer")), credential))

    def test_somethingElse(self) -> None:
        """Who overrules what is not wrong changes nothing."""
        for version, role in everywhere():
            sides = self.shaken(version, role, Asked(accept("expired")), made(OTHER[role], STRANGER))
            self.assertRefused(*sides, "unknown-issuer", "unknown-issuer")

    def test_oneCertificate(self) -> None:
        """A problem of one certificate is named with it, and the same of another certificate still counts."""
        problems = (Problem("expired", 0), Problem("expired", 1))
        self.assertEqual(accept(problems[0]).leaves(problems), problems[1:])
        self.assertEqual(accept("expired").leaves(problems), ())

    def test_everything(self) -> None:
        """Only what is called insecure overrules everything."""
        for version, role in everywhere():
            hook, stranger = Asked(insecurelyAccept()), expired(OTHER[role], STRANGER)
            asking, peer = self.shaken(version, role, hook, stranger)
            self.assertAccepted(asking, peer)
            assert asking.peer is not None
            # No authority that is trusted: the chain is what could be built.
            self.assertEqual(asking.peer.chain, hook.question.chain)
            self.assertEqual(asking.peer.chain[0], stranger.certificate)

    def test_theName(self) -> None:
        """A client's hook may accept a server under another name."""
        for version in VERSIONS:
            hook = Asked(accept("name-mismatch"))
            sides = self.shaken(version, "client", hook, made("server", dnsNames=["other.example"]))
            self.assertAccepted(*sides)

    def test_theRules(self) -> None:
        """A server's hook may let in whom no rule lets in."""
        for version in VERSIONS:
            access = AccessRules.parse(allow=["cn=somebody else"])
            sides = self.shaken(version, "server", Asked(accept("not-allowed")), access=access)
            self.assertAccepted(*sides)
            self.assertRefused(*self.shaken(version, "server", Asked(), access=access), "not-allowed", "not-allowed")

    def test_nameConstraints(self) -> None:
        """What OpenSSL finds after the certificate itself is in the one question that there is."""
        for version, role in everywhere():
            hook = Asked(accept("not-permitted"))
            self.assertAccepted(*self.shaken(version, role, hook, constrained(OTHER[role])))
            self.assertEqual({problem.code for problem in hook.question.problems}, {"not-permitted"})
            asking, _ = self.shaken(version, role, Asked(), constrained(OTHER[role]))
            assert asking.failure is not None
            self.assertEqual(asking.failure.code, "not-permitted")

    def test_stays(self) -> None:
        """What was overruled has the same name when the open connection is judged again, and stays overruled."""
        between = AUTHORITY.intermediate("between")
        for version, role in everywhere():
            peer = OTHER[role]
            for credential in (
                made(peer, STRANGER),
                expired(peer),
                expired(peer, STRANGER),
                constrained(peer),
                replace(made(peer, between), chain=()),
                made(role),
            ):
                asking, _ = self.shaken(version, role, lambda question: accept(*question.problems), credential)
                self.assertIs(asking.state, State.OPEN, repr(asking.failure))
                self.assertIsNone(asking.revalidate())


class QuestionTests(HookCase):
    """What a hook knows."""

    def test_agreed(self) -> None:
        """It knows the version, the cipher suite, the application protocol and the name that was asked for."""
        for version, role in everywhere():
            hook = Asked()
            versions = {"minimumTLS": version, "maximumTLS": version, "applicationProtocols": (b"chat",)}
            hooks = {role: {"hook": hook}}
            client = clientConfiguration(**versions, **hooks.get("client", {}))
            asking = handshake(client, serverConfiguration(**versions, **hooks.get("server", {})))[role == "server"]
            question = hook.question
            self.assertEqual(
                (question.version, question.alpn, question.serverName), (f"TLSv{version}", "chat", "localhost")
            )
            self.assertEqual(question.cipher, asking.facts.cipher)
            self.assertFalse(question.resumed)

    def test_thePeer(self) -> None:
        """It knows the peer's certificate, its names, and the whole chain to the authority that is trusted."""
        for version, role in everywhere():
            hook = Asked()
            issuer = AUTHORITY.intermediate("between")
            credential = issuer.issue("localhost", role=OTHER[role], dnsNames=["localhost"])  # type: ignore[arg-type]
            asking, _ = self.shaken(version, role, hook, credential)
            question = hook.question
            self.assertEqual(question.peerRole, OTHER[role])
            self.assertEqual(question.certificate, credential.certificate)
            self.assertEqual(question.chain, (credential.certificate, issuer.certificate, AUTHORITY.certificate))
            assert question.peer is not None and asking.peer is not None
            self.assertEqual(question.peer.dnsNames, ("localhost",))
            self.assertEqual(asking.peer.chain, question.chain)
            self.assertEqual((question.problems, question.warnings), ((), ()))

    def test_nobody(self) -> None:
        """A client without a certificate, where one is only requested, is asked about too, and can be refused."""
        for version in VERSIONS:
            for answer in (True, False):
                hook = Asked(answer)
                client = clientConfiguration(minimumTLS=version, maximumTLS=version, credential=None)
                server = serverConfiguration(hook=hook, clientCertificates="requested")
                one, other = handshake(client, server)
                question = hook.question
                self.assertEqual((question.peer, question.certificate, question.chain), (None, None, ()))
                if answer:
                    self.assertAccepted(one, other)
                    self.assertIsNone(other.peer)
                else:
                    self.assertRefused(other, one, "refused-by-hook", "no-certificate")

    def test_requiredAndMissing(self) -> None:
        """A client without the certificate that is required is refused, and nobody is asked."""
        for version in VERSIONS:
            hook = Asked(insecurelyAccept())
            client = clientConfiguration(minimumTLS=version, maximumTLS=version, credential=None)
            one, other = handshake(client, serverConfiguration(hook=hook))
            assert other.failure is not None and one.failure is not None
            self.assertEqual((other.failure.code, one.failure.code), ("no-certificate", "no-certificate"))
            self.assertEqual(hook.questions, [])

    def test_byteByByte(self) -> None:
        """It is asked once, however the network cuts the stream."""
        for version, role in everywhere():
            hooks = {"client": Asked(), "server": Asked()}
            versions = {"minimumTLS": version, "maximumTLS": version}
            client = TLSConnection(clientConfiguration(**versions, hook=hooks["client"]))
            server = TLSConnection(serverConfiguration(**versions, hook=hooks["server"]))
            client.start()
            moved = True
            while moved:
                moved = False
                for source, target in ((client, server), (server, client)):
                    for byte in source.outgoing():
                        target.receive(bytes((byte,)))
                        moved = True
            self.assertAccepted(client, server)
            self.assertEqual(len(hooks[role].questions), 1)

    def test_breakingOff(self) -> None:
        """About a peer that does not get as far as that, nobody is asked."""
        for version in VERSIONS:
            hook = Asked()
            client = TLSConnection(clientConfiguration(minimumTLS=version, maximumTLS=version))
            server = TLSConnection(serverConfiguration(hook=hook))
            client.start()
            server.receive(client.outgoing())
            client.receive(server.outgoing())
            server.receive(client.outgoing()[:-1])
            server.receiveEnd()
            self.assertEqual(hook.questions, [])
            assert server.failure is not None
            self.assertEqual(server.failure.code, "closed-in-handshake")

    def test_refusedByThePeer(self) -> None:
        """A server whose own certificate the client refuses asks nobody about the client."""
        for version in VERSIONS:
            hook = Asked()
            client = clientConfiguration(minimumTLS=version, maximumTLS=version, roots=(STRANGER.certificate,))
            _, server = handshake(client, serverConfiguration(hook=hook))
            self.assertIs(server.state, State.FAILED)
            self.assertEqual(hook.questions, [])

    def test_aQuestionAlone(self) -> None:
        """A hook can be tested with a question that was made by hand."""
        problem = Problem("expired", 0)
        question = Question(peerRole="client", chain=(CLIENT.certificate, *ROOTS), problems=(problem,))
        assert question.peer is not None
        self.assertEqual(question.peer.commonName, "client")
        self.assertEqual(accept(problem).leaves(question.problems), ())
        self.assertEqual(Answer().leaves(question.problems), (problem,))


class AddressTests(ConversationCase):
    def test_address(self) -> None:
        """It knows where the peer is."""
        for version in VERSIONS:
            hooks = {"client": Asked(), "server": Asked()}
            self.opened(version, client={"hook": hooks["client"]}, server={"hook": hooks["server"]})
            self.assertEqual(hooks["client"].question.address, "127.0.0.1:8443")
            self.assertEqual(hooks["server"].question.address, "127.0.0.1:40001")


class RetryTests(HookCase):
    """TLS 1.3: a client whose first key share the server cannot use says hello twice (RFC 8446, section 4.1.4)."""

    def test_askedOnce(self) -> None:
        hook = Asked()
        client = clientConfiguration(groups=("X25519", "P-256"))
        self.assertAccepted(*handshake(client, serverConfiguration(groups=("P-256",), hook=hook)))
        self.assertEqual(len(hook.questions), 1)

    def test_nobodyIsJudgedByTheFirstHello(self) -> None:
        """The session in the first hello need not be that of the second, so nobody is asked before."""
        hook = Asked()
        client = clientConfiguration(groups=("X25519", "P-256"))
        server = serverConfiguration(groups=("P-256",), hook=hook)
        ended(*handshake(client, server))
        again, resuming = TLSConnection(client), TLSConnection(server)
        again.start()
        resuming.receive(again.outgoing())
        self.assertEqual(len(hook.questions), 1)
        again.receive(resuming.outgoing())
        pump(again, resuming)
        self.assertAccepted(again, resuming)
        self.assertTrue(resuming.facts.resumed)
        self.assertEqual([question.resumed for question in hook.questions], [False, True])


class ConfigurationTests(SynchronousTestCase):
    def test_nobodyToAskAbout(self) -> None:
        """A server that asks for no certificates has nothing to ask a hook about."""
        with self.assertRaisesRegex(ValueError, "hook"):
            ServerConfiguration(credential=SERVER, hook=Asked())


class ForeignTests(HookCase):
    """A user's own options for a server, with a hook on top of them."""

    def server(self, hook: Any, heard: list[bytes] | None = None) -> ExternalContextConfiguration:
        creator = CertificateOptions(
            privateKey=SERVER.privateKey,
            certificate=SERVER.certificate,
            trustRoot=trustRootFromCertificates([Certificate(X509.from_cryptography(ROOTS[0]))]),
        )
        if heard is not None:
            creator.getContext().set_keylog_callback(lambda _, line: heard.append(line))
        return ExternalContextConfiguration(creator=creator, hook=hook)

    def test_accepts(self) -> None:
        for version in VERSIONS:
            hook = Asked()
            self.assertAccepted(*handshake(clientConfiguration(maximumTLS=version), self.server(hook)))
            assert hook.question.peer is not None
            self.assertEqual(hook.question.peer.commonName, "client")

    def test_refuses(self) -> None:
        """The alert is sealed as it has to be, and the context's own log of secrets goes on."""
        for version in VERSIONS:
            secrets: list[bytes] = []
            server = self.server(Asked(False), secrets)
            one, other = handshake(clientConfiguration(maximumTLS=version), server)
            # Twisted's options name no authorities, and access_denied says little then.
            self.assertRefused(other, one, "refused-by-hook", "refused")
            self.assertTrue(secrets)

    def test_overrules(self) -> None:
        """It can overrule what the options' own verification found."""
        for version in VERSIONS:
            client = insecurelyPresenting(clientConfiguration(maximumTLS=version), expired("client"))
            self.assertAccepted(*handshake(client, self.server(Asked(accept("expired")))))
            one, other = handshake(client, self.server(Asked(accept())))
            self.assertRefused(other, one, "expired", "expired")
