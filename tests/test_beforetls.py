"""What clients say before TLS: to mail servers and directories, and to proxies on the way to a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration._proxyplace import ProxyPlace, parseProxy
from tlscomm.endpoints._proxytalks import HTTPProxyTalk, Login, SOCKS5Talk
from tlscomm.endpoints._starttls import IMAPClient, LDAPClient, POP3Client, SMTPClient
from tlscomm.endpoints._throughproxy import InTurn, proxyTalk
from tlscomm.failures import ConnectFailed, NotTLS, TLSFailure

LDAP_YES = bytes.fromhex("300c02010178070a010004000400")
LDAP_LONG = bytes.fromhex("308400000010 020101 788400000007 0a0100 0400 0400".replace(" ", ""))
LDAP_NO = bytes.fromhex("300c02010178070a013504000400")


class Clear(StringTransport):
    """A connection in the clear.

    Attributes:
        isTLS: whether TLS was begun.
        failure: what it was ended with.
    """

    isTLS = False
    failure: TLSFailure | None = None

    def startTLS(self) -> None:
        self.isTLS = True

    def closeBecause(self, failure: TLSFailure) -> None:
        self.failure = failure


class TalkCase(SynchronousTestCase):
    """A talk, given a byte at a time."""

    def begin(self, make: Callable[[Any], Any]) -> None:
        self.clear = Clear()
        self.talk = make(None)
        self.talk.makeConnection(self.clear)

    def hear(self, data: bytes) -> bytes:
        """Have the talk hear something, and return what it says to it."""
        self.clear.clear()
        for place in range(len(data)):
            if self.clear.isTLS or self.clear.failure:
                break
            self.talk.dataReceived(data[place : place + 1])
        return self.clear.value()

    def assertRefused(self, kind: type[TLSFailure], words: str) -> None:
        self.assertIsInstance(self.clear.failure, kind)
        self.assertIn(words, str(self.clear.failure))
        self.assertFalse(self.clear.isTLS)


class UpgradeTests(TalkCase):
    """STARTTLS and its like."""

    def test_smtp(self) -> None:
        """A mail server is greeted and asked, whatever it offers and on however many lines."""
        self.begin(SMTPClient)
        self.assertEqual(self.hear(b"220-hello\r\n220 mail.example ESMTP\r\n"), b"EHLO localhost\r\n")
        self.assertEqual(self.hear(b"250-mail.example\r\n250-SIZE 1\r\n250 STARTTLS\r\n"), b"STARTTLS\r\n")
        self.hear(b"220 go ahead\r\n")
        self.assertTrue(self.clear.isTLS)

    def test_imap(self) -> None:
        """A server of mailboxes is asked once it has greeted; what it says meanwhile does not matter."""
        self.begin(IMAPClient)
        self.assertEqual(self.hear(b"* OK [CAPABILITY IMAP4rev1] ready\r\n"), b"t STARTTLS\r\n")
        self.hear(b"* CAPABILITY IMAP4rev1\r\nt OK begin\r\n")
        self.assertTrue(self.clear.isTLS)

    def test_pop3(self) -> None:
        """So is one of POP3."""
        self.begin(POP3Client)
        self.assertEqual(self.hear(b"+OK ready\r\n"), b"STLS\r\n")
        self.hear(b"+OK begin\r\n")
        self.assertTrue(self.clear.isTLS)

    def test_ldap(self) -> None:
        """A directory is asked with an ExtendedRequest; its answer may have lengths of any form."""
        for answer in (LDAP_YES, LDAP_LONG):
            self.begin(LDAPClient)
            self.assertEqual(self.clear.value()[-24:], b"\x80\x161.3.6.1.4.1.1466.20037")
            self.hear(answer)
            self.assertTrue(self.clear.isTLS)

    def test_refused(self) -> None:
        """A server that does not change to TLS is named with its answer, in which nothing is obeyed."""
        for make, answer, words in (
            (SMTPClient, b"554 no \x1b[31m service\r\n", "the SMTP server has answered 554 no \\x1b[31m service"),
            (IMAPClient, b"* BYE full\r\n", "the IMAP server has answered * BYE full"),
            (POP3Client, b"-ERR no\r\n", "the POP3 server has answered -ERR no"),
            (LDAPClient, LDAP_NO, "result code 53"),
            (LDAPClient, b"HTTP/1.1", "nothing of LDAP"),
        ):
            self.begin(make)
            self.hear(answer)
            self.assertRefused(NotTLS, words)


class SOCKSTests(TalkCase):
    """A SOCKS 5 proxy."""

    def ask(self, host: str = "server.example", port: int = 8443, login: Login | None = None) -> None:
        self.begin(lambda _: SOCKS5Talk(host, port, login))

    def test_name(self) -> None:
        """A name goes to the proxy as it is, and TLS begins behind the proxy's answer."""
        self.ask()
        self.assertEqual(self.clear.value(), b"\5\1\0")
        self.assertEqual(self.hear(b"\5\0"), b"\5\1\0\3\x0eserver.example\x20\xfb")
        self.hear(b"\5\0\0\1\x7f\0\0\1\x04\x38")
        self.assertTrue(self.clear.isTLS)

    def test_addresses(self) -> None:
        """Addresses of both versions go as such; so may the address be that the proxy answers with."""
        for host, asked, answer in (
            ("192.0.2.1", b"\1\xc0\0\2\1", b"\4" + bytes(16)),
            ("2001:db8::1", b"\4" + bytes.fromhex("20010db8000000000000000000000001"), b"\3\x02ab"),
        ):
            self.ask(host)
            self.assertEqual(self.hear(b"\5\0")[3:-2], asked)
            self.hear(b"\5\0\0" + answer + b"\0\1")
            self.assertTrue(self.clear.isTLS)

    def test_login(self) -> None:
        """Where the proxy asks who we are, user and pass word are said (RFC 1929)."""
        self.ask(login=Login("alice", "secret"))
        self.assertEqual(self.clear.value(), b"\5\2\0\2")
        self.assertEqual(self.hear(b"\5\2"), b"\1\5alice\6secret")
        self.assertIn(b"server.example", self.hear(b"\1\0"))
        self.assertNotIn("secret", repr(Login("alice", "secret")))

    def test_refused(self) -> None:
        """What the proxy does not do is named."""
        for answer, words in (
            (b"\5\xff", "it wants a login"),
            (b"\5\2", "it wants a login"),
            (b"\5\0" + b"\5\5\0\1\0\0\0\0\0\0", "connection refused"),
            (b"\5\0" + b"\5\2\0\1\0\0\0\0\0\0", "its rules do not allow the connection"),
            (b"HTTP/1.1 400 Bad Request\r\n", "nothing of SOCKS 5"),
        ):
            self.ask()
            self.hear(answer)
            self.assertRefused(ConnectFailed, words)

    def test_refusedLogin(self) -> None:
        """A login that is not accepted is named."""
        self.ask(login=Login("alice", "secret"))
        self.hear(b"\5\2\1\1")
        self.assertRefused(ConnectFailed, "it does not accept the login")


class HTTPProxyTests(TalkCase):
    """A proxy of HTTP."""

    def test_connect(self) -> None:
        """It is asked for host and port, and its answer may have headers."""
        self.begin(lambda _: HTTPProxyTalk("::1", 443, None))
        self.assertEqual(self.clear.value(), b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n")
        self.hear(b"HTTP/1.1 200 Connection established\r\nVia: a\r\n\r\n")
        self.assertTrue(self.clear.isTLS)

    def test_login(self) -> None:
        """A login is sent as Basic."""
        self.begin(lambda _: HTTPProxyTalk("a.example", 443, Login("alice", "secret")))
        self.assertIn(b"Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n", self.clear.value())

    def test_refused(self) -> None:
        """An answer that is no success is named, and one of another protocol."""
        for answer, words in (
            (b"HTTP/1.1 403 Forbidden\r\n\r\n", "HTTP/1.1 403 Forbidden"),
            (b"HTTP/1.1 407 Proxy Authentication Required\r\nA: b\r\n\r\n", "407"),
            (b"SSH-2.0-x\r\n\r\n", "nothing of HTTP"),
        ):
            self.begin(lambda _: HTTPProxyTalk("a.example", 443, None))
            self.hear(answer)
            self.assertRefused(ConnectFailed, words)


class InTurnTests(TalkCase):
    """STARTTLS behind a proxy."""

    def test_bothTalk(self) -> None:
        """The server's talk begins where the proxy's ends, and TLS where both have ended."""
        self.begin(InTurn(proxyTalk(ProxyPlace("http", "proxy", 3128), "mail.example", 25), SMTPClient))
        self.assertTrue(self.clear.value().startswith(b"CONNECT mail.example:25 "))
        self.hear(b"HTTP/1.1 200 OK\r\n\r\n")
        self.assertFalse(self.clear.isTLS)
        self.assertEqual(self.hear(b"220 mail\r\n"), b"EHLO localhost\r\n")
        self.hear(b"250 STARTTLS\r\n")
        self.hear(b"220 go\r\n")
        self.assertTrue(self.clear.isTLS)

    def test_passWord(self) -> None:
        """The pass word is that of the environment."""
        self.patch(os, "environ", {**os.environ, "TLSCOMM_PROXY_PASSWORD": "secret"})
        self.begin(proxyTalk(ProxyPlace("socks5", "proxy", 1080, "alice"), "a.example", 1))
        self.assertEqual(self.hear(b"\5\2"), b"\1\5alice\6secret")


class ProxyPlaceTests(SynchronousTestCase):
    """``--proxy``."""

    def test_places(self) -> None:
        """A URL says of which kind it is, and where."""
        for text, place in (
            ("socks5://proxy.example", ProxyPlace("socks5", "proxy.example", 1080)),
            ("socks5h://[::1]:9050", ProxyPlace("socks5", "::1", 9050)),
            ("http://al%20ice@proxy:8080/", ProxyPlace("http", "proxy", 8080, "al ice")),
        ):
            self.assertEqual(parseProxy(text), place)

    def test_wrong(self) -> None:
        """What is none is refused, and a pass word in it is not repeated."""
        for text, words in (
            ("https://proxy", "it is socks5://HOST:PORT or http://HOST:PORT"),
            ("http://", "it is socks5://HOST:PORT or http://HOST:PORT"),
            ("http://proxy:port", "its port is none"),
            ("http://proxy/path", "something behind its port"),
            ("http://alice:secret@proxy", "it holds a pass word"),
        ):
            with self.assertRaises(ValueError) as caught:
                parseProxy(text)
            self.assertIn(words, str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))
