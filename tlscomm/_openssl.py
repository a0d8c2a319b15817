"""The only place that uses names which pyOpenSSL does not promise to keep.

pyOpenSSL's public ``Connection`` is right, and for four things it is not enough:

* *The alert that fits.* A Python verification callback that refuses makes OpenSSL send ``internal_error``. OpenSSL
  picks the alert by the error that is set in the store context, and that is reachable only from a callback of our own.
* *Facts.* Which alert went which way, that a certificate was asked for, that a session ticket came (a TLS 1.3 client's
  only sign that it was accepted), that a session was resumed.
* *An alert of our own*, for a refusal that comes when OpenSSL has verified. It needs a traffic secret, which OpenSSL
  tells to its key log callback, and that is called with the raw pointer.
* *The path of every byte.* ``Connection.recv`` allocates a buffer a call, and each call that finds nothing raises an
  exception. Calling OpenSSL directly costs a third for a short message.

Everything else in tlscomm talks to a `Channel`. ``tests/test_openssl.py`` names each private name that is used here and
fails when one of them goes away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast
from weakref import WeakSet, WeakValueDictionary

from cryptography import x509
from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError, X509StoreFlags
from OpenSSL.crypto import Error as CryptoError

__all__ = [
    "Channel",
    "OpenSSLError",
    "firstMessage",
    "insistOnProtocol",
    "insistOnServerName",
    "keepRequests",
    "keepSecrets",
    "preferGroups",
    "prepareForPaths",
    "resumeSessions",
    "sessionOf",
    "verifyErrorText",
    "verifyPath",
]

_ffi: Any = ffi
_lib: Any = lib

#: One read of the reactor (64 KiB) and the largest record that may have been waiting for its end.
_BUFFER_SIZE = 1 << 17
_LARGEST_RECORD = 1 << 14

_UNRECOGNIZED_NAME = 112

#: No cache for servers, and no looking into it.
_NO_SESSIONS = SSL.SESS_CACHE_NO_INTERNAL

#: A handshake record and CertificateRequest (RFC 8446, sections 5.1 and 4).
_HANDSHAKE = 22
_CERTIFICATE_REQUEST = b"\x0d"

#: Level fatal; TLS 1.3 has no other but for these: close_notify, user_canceled, and TLS 1.2's no_renegotiation
#: (RFC 8446, section 6). TLS 1.2 servers warn of a name that they do not know and go on (RFC 6066, section 3).
_FATAL = 2
_NOT_FATAL = frozenset({0, 90, 100, 112})

#: X509_V_ERR_REJECTED of x509_vfy.h.
_REJECTED = 28

#: X509_CHECK_FLAG_NEVER_CHECK_SUBJECT of x509v3.h.
_NEVER_CHECK_SUBJECT = 0x20

#: X509_V_ERR_UNSPECIFIED of x509_vfy.h.
_UNSPECIFIED = 1

#: Whatever was named as an authority is one, its own issuer or not.
_PATH_FLAGS = X509StoreFlags.PARTIAL_CHAIN

_feed = _lib.BIO_write
_read = _lib.SSL_read
_write = _lib.SSL_write
_drain = _lib.BIO_read
_available = _lib.BIO_get_mem_data
_clearErrors = _lib.ERR_clear_error
_asBuffer = _ffi.buffer

#: OpenSSL hands a callback the SSL*, and Python needs the object again. Weak, so that the map keeps nothing alive.
_channels: WeakValueDictionary[Any, Channel] = WeakValueDictionary()
_keepingSecrets: WeakSet[SSL.Context] = WeakSet()


class _Scratch(threading.local):
    """Where OpenSSL puts bytes. One for each thread, because OpenSSL is called without the interpreter's lock."""

    def __init__(self) -> None:
        self.buffer = _ffi.new("char[]", _BUFFER_SIZE)
        self.view = _ffi.buffer(self.buffer)
        self.pointer = _ffi.new("char **")


_scratch = _Scratch()


class OpenSSLError(Exception):
    """OpenSSL cannot go on.

    Attributes:
        reasons: the reason of each entry in OpenSSL's error queue, oldest first; empty for an unexpected end of stream.
        exceptions: what the callbacks of somebody else's context raised.
    """

    def __init__(self, reasons: tuple[str, ...], exceptions: tuple[Exception, ...] = ()) -> None:
        super().__init__(*reasons)
        self.reasons = reasons
        self.exceptions = exceptions


class Channel:
    """One OpenSSL connection over memory: ciphertext in and out on one side, plaintext on the other.

    Attributes:
        alertReceived: the number of the last fatal alert from the peer, or None.
        alertSent: the number of the last fatal alert that we sent, or None.
        secret: under TLS 1.3, what the first record is sealed with that follows our verdict on the peer.
        certificateRequested: whether the server asked this client for a certificate.
        certificateSent: whether this client sent one and proved that it has the key.
        certificateRequest: the server's CertificateRequest, from its type on, where `keepRequests` was called for the
            context.
        ticketSeen: whether a session ticket came after the handshake, a TLS 1.3 server's sign of acceptance.
        closed: whether the peer's close_notify has come.
        error: what broke the connection after the handshake, or None.
    """

    def __init__(
        self,
        connection: SSL.Connection,
        isClient: bool,
        judge: Callable[[Sequence[tuple[int, int]], Callable[[], list[x509.Certificate]]], int],
        select: Callable[[], SSL.Context | None] | None = None,
    ) -> None:
        """
        Args:
            connection: a connection without a socket that has not begun its handshake. Its own verification callback,
                if it has one, is asked too: it may refuse more, and it may overrule OpenSSL.
            isClient: which side of the handshake we are.
            judge: called in a full handshake in which the peer sent a certificate, with OpenSSL's problems as pairs of
                error number and depth, and with a function that returns the chain. It returns 0 to accept, or the error
                number that makes OpenSSL send the alert that fits. It is called again where OpenSSL finds another
                problem afterwards.
            select: called in a full handshake when a certificate of ours is to be shown; returns the context whose
                certificate that is. With None a client shows none, and a server breaks the handshake off.
        """
        # The callbacks of the connection, of its context and ours all have to live as long as the SSL object.
        self.connection = connection
        self._ssl = connection._ssl
        self._in = connection._into_ssl
        self._out = connection._from_ssl
        self._judge = judge
        self._select = select
        self._selectionFailures: list[Exception] = []
        self._shown: SSL.Context | None = None
        self._sessions: Any = connection.get_context()._context
        self._cacheMode: int | None = None
        self._foreignVerify: Any = connection._verify_callback
        self._foreignInfo: Any = connection.get_context()._info_callback
        self._vetoed = False
        self._problems: list[tuple[int, int]] = []
        self._leafSeen = False
        self._isClient = isClient
        self.alertReceived: int | None = None
        self.alertSent: int | None = None
        self.secret: bytes | None = None
        self.certificateRequested = False
        self.certificateSent = False
        self.certificateRequest: bytes | None = None
        self.ticketSeen = False
        self.closed = False
        self.error: OpenSSLError | None = None
        _channels[self._ssl] = self
        keepSecrets(connection.get_context())
        _lib.SSL_set_verify(self._ssl, self._verifyMode(), _verifyCallback)
        needsStates = isClient or self._foreignInfo is not None
        _lib.SSL_set_info_callback(self._ssl, _infoCallback if needsStates else _alertCallback)
        if select is not None:
            _lib.SSL_set_cert_cb(self._ssl, _certificateCallback, _ffi.NULL)
        if isClient:
            connection.set_connect_state()
        else:
            connection.set_accept_state()

    def feed(self, ciphertext: bytes) -> None:
        """Take bytes that came from the peer."""
        _feed(self._in, ciphertext, len(ciphertext))

    def drain(self) -> bytes:
        """Return the bytes that have to go to the peer now."""
        if not (size := _available(self._out, _scratch.pointer)):
            return b""
        if size <= _BUFFER_SIZE:
            return _scratch.view[: _drain(self._out, _scratch.buffer, size)]  # type: ignore[no-any-return]
        large = _ffi.new("char[]", size)
        return _asBuffer(large, _drain(self._out, large, size))[:]  # type: ignore[no-any-return]

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is done.

        Raises:
            OpenSSLError: it failed. An alert for the peer may have to be drained.
        """
        _clearErrors()
        if self._cacheMode is not None:
            _lib.SSL_CTX_set_session_cache_mode(self._sessions, _NO_SESSIONS)
        result = _lib.SSL_do_handshake(self._ssl)
        if self._cacheMode is not None:
            _lib.SSL_CTX_set_session_cache_mode(self._sessions, self._cacheMode)
        if result == 1:
            return True
        error = _lib.SSL_get_error(self._ssl, result)
        if error in (_lib.SSL_ERROR_WANT_READ, _lib.SSL_ERROR_WANT_WRITE):
            return False
        raise OpenSSLError(_errorQueue(), self._foreignProblems())

    def read(self) -> bytes:
        """Return all plaintext that is there. The end of it, in order or not, is in `closed` and `error`."""
        scratch = _scratch
        buffer = scratch.buffer
        # SSL_get_error looks into the queue of the thread, where others may have left something.
        _clearErrors()
        total = _read(self._ssl, buffer, _BUFFER_SIZE)
        if total <= 0:
            self._noteEnd(total)
            return b""
        whole: list[bytes] = []
        # A record may have been decrypted in part only where the buffer was too small for it, and it never is.
        while _available(self._in, scratch.pointer):
            if total > _BUFFER_SIZE - _LARGEST_RECORD:
                whole.append(scratch.view[:total])
                total = 0
            count = _read(self._ssl, buffer + total, _BUFFER_SIZE - total)
            if count <= 0:
                self._noteEnd(count)
                break
            total += count
        if whole:
            whole.append(scratch.view[:total])
            return b"".join(whole)
        return scratch.view[:total]  # type: ignore[no-any-return]

    def write(self, plaintext: bytes) -> None:
        """Encrypt; the ciphertext is drained afterwards.

        Raises:
            OpenSSLError: the connection is broken.
        """
        size = len(plaintext)
        sent = _write(self._ssl, plaintext, size)
        if 0 < sent < size:
            # pyOpenSSL's contexts write at most one record a call.
            rest = _ffi.from_buffer(plaintext)
            while 0 < sent < size:
                count = _write(self._ssl, rest + sent, size - sent)
                sent = sent + count if count > 0 else -1
        if sent <= 0:
            raise OpenSSLError(_errorQueue())

    def close(self) -> None:
        """Write close_notify, unless it was written before."""
        _clearErrors()
        _lib.SSL_shutdown(self._ssl)
        _clearErrors()

    def forbidResumption(self) -> None:
        """Have OpenSSL neither resume a session in this handshake nor keep the one of it."""
        # Somebody else's context may give the sessions themselves away, as tickets, which are not looked up here.
        _lib.SSL_set_options(self._ssl, SSL.OP_NO_TICKET)
        if self._cacheMode is None:
            self._cacheMode = _lib.SSL_CTX_get_session_cache_mode(self._sessions)
            # It may be called in the middle of the handshake.
            _lib.SSL_CTX_set_session_cache_mode(self._sessions, _NO_SESSIONS)

    def forgetSession(self) -> None:
        """Have OpenSSL forget the session of this handshake, which it has kept where it takes the handshake for done.

        A TLS 1.2 client knows the session before we have judged it, and could resume it at once.
        """
        _lib.SSL_set_session(self._ssl, _ffi.NULL)

    def release(self) -> None:
        """Forget who judges and selects: the handshake is done, or will never be."""
        self._judge = _refuseAll
        self._select = None
        self.secret = None

    @property
    def acceptedAuthorities(self) -> frozenset[bytes]:
        """The names, in DER, of the authorities that the server accepts, as it sent them; any where there are none."""
        names = _lib.SSL_get_client_CA_list(self._ssl)
        count = 0 if names == _ffi.NULL else _lib.sk_X509_NAME_num(names)
        return frozenset(_nameBytes(_lib.sk_X509_NAME_value(names, index)) for index in range(count))

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(_lib.SSL_session_reused(self._ssl))

    @property
    def hasOutput(self) -> bool:
        """Whether there are bytes to drain."""
        return bool(_available(self._out, _scratch.pointer))

    @property
    def foundThen(self) -> int:
        """The number of an error that OpenSSL found in the handshake of this session, whoever overruled it, or 0."""
        return int(_lib.SSL_get_verify_result(self._ssl))

    @property
    def waiting(self) -> int:
        """How many bytes from the peer OpenSSL has yet to read."""
        return int(_available(self._in, _scratch.pointer))

    @property
    def presented(self) -> list[x509.Certificate]:
        """The certificates that the peer sent in this handshake, or in the one that it resumes, its own first."""
        own = self.connection.get_peer_certificate(as_cryptography=True)
        if own is None:
            return []
        sent = self.connection.get_peer_cert_chain(as_cryptography=True) or []
        # A client's list has the server's own certificate, and a server's has not the client's.
        return [own, *(sent[1:] if self._isClient else sent)]

    @property
    def staple(self) -> bytes | None:
        """The OCSP response (DER) that came with the server's certificate, or None."""
        response = _ffi.new("unsigned char **")
        size = _lib.SSL_get_tlsext_status_ocsp_resp(self._ssl, response)
        return _asBuffer(response[0], size)[:] if size > 0 else None

    def _noteEnd(self, result: int) -> None:
        error = _lib.SSL_get_error(self._ssl, result)
        if error == _lib.SSL_ERROR_ZERO_RETURN:
            self.closed = True
        elif error not in (_lib.SSL_ERROR_WANT_READ, _lib.SSL_ERROR_WANT_WRITE):
            self.error = OpenSSLError(_errorQueue())

    def _foreignProblems(self) -> tuple[Exception, ...]:
        # pyOpenSSL keeps what its callbacks raised until its own do_handshake raises it, which is not called here.
        context = self.connection.get_context()
        keepers = (self.connection._verify_helper, context._verify_helper, context._alpn_select_helper)
        raised = tuple(problem for keeper in keepers if keeper is not None for problem in keeper._problems)
        for keeper in keepers:
            if keeper is not None:
                keeper._problems.clear()
        return (*raised, *self._selectionFailures)

    def _verifyMode(self) -> int:
        # A client always verifies: there is no secure meaning of VERIFY_NONE on its side.
        mode: int = self.connection.get_verify_mode()
        return mode | SSL.VERIFY_PEER if self._isClient else mode

    def _verify(self, ok: int, context: Any) -> int:
        if self._foreignVerify is not None:
            foreignOK = self._foreignVerify(ok, context)
            # What they refuse stays refused, but the name for it is ours to find first.
            self._vetoed = self._vetoed or bool(ok and not foreignOK)
            ok = ok or foreignOK
        depth = _lib.X509_STORE_CTX_get_error_depth(context)
        if not ok:
            # Going on after an error makes OpenSSL report the next one, and in the end the leaf with ok = 1.
            self._problems.append((_lib.X509_STORE_CTX_get_error(context), depth))
        # Name constraints and policies are checked after that, so what is found then needs a verdict of its own.
        if not self._leafSeen and (depth or not ok):
            return 1
        self._leafSeen = True
        verdict = self._judge(self._problems, lambda: _builtChain(context))
        if not verdict and self._vetoed:
            verdict = _REJECTED
        # A session keeps this number, its tickets too, and is known by it for one that was not good in itself.
        _lib.X509_STORE_CTX_set_error(context, verdict or (self._problems[0][0] if self._problems else 0))
        return int(verdict == 0)

    def _showCertificate(self) -> int:
        if self._select is None:
            return 1
        try:
            context = self._select()
        except Exception as problem:
            self._selectionFailures.append(problem)
            return 0
        if context is not None:
            # Not by the connection's own method: the context of its sessions is the one that it began with.
            _lib.SSL_set_SSL_CTX(self._ssl, context._context)
            self._shown = context
        return int(self._isClient or context is not None)

    def _noteEvent(self, where: int, value: int) -> None:
        if where & SSL.SSL_CB_ALERT:
            number, level = value & 0xFF, value >> 8
            if level == _FATAL or number not in _NOT_FATAL:
                if where & SSL.SSL_CB_READ:
                    self.alertReceived = number
                else:
                    self.alertSent = number
        elif self._isClient:
            self._noteState(_ffi.string(_lib.SSL_state_string_long(self._ssl)))

    def _noteState(self, state: bytes) -> None:
        if state == b"SSLv3/TLS read server certificate request":
            self.certificateRequested = True
        elif state == b"SSLv3/TLS write certificate verify":
            self.certificateSent = True
        elif state == b"SSLv3/TLS read server session ticket":
            self.ticketSeen = True


def _refuseAll(_problems: Sequence[tuple[int, int]], _chain: Callable[[], list[x509.Certificate]]) -> int:
    return _REJECTED


def firstMessage(context: SSL.Context) -> bytes:
    """Return the ClientHello of a client with this context, which tells all that the context can negotiate."""
    connection = SSL.Connection(context)
    connection.set_connect_state()
    _clearErrors()
    _lib.SSL_do_handshake(connection._ssl)
    _clearErrors()
    return connection.bio_read(_BUFFER_SIZE)


def preferGroups(context: SSL.Context, groups: Sequence[str]) -> None:
    """Set the key exchange groups of a context, the preferred one first.

    Raises:
        ValueError: OpenSSL does not know one of them.
    """
    if not _lib.SSL_CTX_set1_curves_list(context._context, ":".join(groups).encode("ascii")):
        _clearErrors()
        raise ValueError(f"OpenSSL does not know all of these groups: {', '.join(groups)}")


def insistOnServerName(context: SSL.Context, isKnown: Callable[[bytes | None], bool]) -> None:
    """Make a server's context refuse, with unrecognized_name, names that it does not serve (RFC 6066, section 3)."""

    @_ffi.callback("int (*)(SSL *, int *, void *)", error=_lib.SSL_TLSEXT_ERR_ALERT_FATAL)  # type: ignore[untyped-decorator]
    def select(ssl: Any, alert: Any, _argument: Any) -> int:
        name = _lib.SSL_get_servername(ssl, _lib.TLSEXT_NAMETYPE_host_name)
        if isKnown(None if name == _ffi.NULL else _ffi.string(name)):
            return int(_lib.SSL_TLSEXT_ERR_OK)
        alert[0] = _UNRECOGNIZED_NAME
        return int(_lib.SSL_TLSEXT_ERR_ALERT_FATAL)

    # The context keeps the callback alive, as it does with pyOpenSSL's own.
    context._tlsext_servername_callback = select
    _lib.SSL_CTX_set_tlsext_servername_callback(context._context, select)


def insistOnProtocol(context: SSL.Context, protocols: Sequence[bytes]) -> None:
    """Make a server's context refuse, with no_application_protocol, a client that offers none of these (RFC 7301).

    pyOpenSSL's own callback can refuse only by an exception, which it then keeps for ever.
    """
    # OpenSSL reads the chosen name after the callback has returned, so it must live as long as the context.
    chosen = {protocol: _ffi.new("unsigned char[]", protocol) for protocol in protocols}

    @_ffi.callback(  # type: ignore[untyped-decorator]
        "int (*)(SSL *, const unsigned char **, unsigned char *, const unsigned char *, unsigned int, void *)",
        error=_lib.SSL_TLSEXT_ERR_ALERT_FATAL,
    )
    def select(_ssl: Any, out: Any, outLength: Any, offered: Any, length: int, _argument: Any) -> int:
        names = set(_lengthPrefixed(_ffi.buffer(offered, length)[:]))
        for protocol, buffer in chosen.items():
            if protocol in names:
                out[0] = buffer
                outLength[0] = len(protocol)
                return int(_lib.SSL_TLSEXT_ERR_OK)
        return int(_lib.SSL_TLSEXT_ERR_ALERT_FATAL)

    context._alpn_select_callback = select
    _lib.SSL_CTX_set_alpn_select_cb(context._context, select, _ffi.NULL)


def keepRequests(context: SSL.Context) -> None:
    """Have the channels of a client's context know how the server asks for a certificate.

    OpenSSL gives the authorities away and nothing else, and reports each record of the connection to get at the rest.
    """
    _lib.SSL_CTX_set_msg_callback(context._context, _messageCallback)


def keepSecrets(context: SSL.Context) -> None:
    """Have the channels of a context know the secret for an alert that OpenSSL cannot send."""
    if context in _keepingSecrets:
        return
    _keepingSecrets.add(context)
    foreign: Any = context._keylog_callback
    context._keylog_callback = _keylogCallback if foreign is None else _keylogFor(foreign)
    _lib.SSL_CTX_set_keylog_callback(context._context, context._keylog_callback)


def _keylogFor(foreign: Any) -> Any:
    """Return a callback that passes on what it hears."""

    @_ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
    def both(ssl: Any, line: Any) -> None:
        _keylogCallback(ssl, line)
        foreign(ssl, line)

    return both


def resumeSessions(context: SSL.Context, name: bytes, seconds: int) -> None:
    """Let the clients of a server's context resume their sessions, which stay in the memory of the server.

    Args:
        context: of one configuration, so that a session is never resumed under another one.
        name: at most 32 bytes (SSL_CTX_set_session_id_context(3)).
        seconds: how long a session may be resumed.
    """
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_id(name)
    context.set_timeout(seconds)
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)


def sessionOf(connection: SSL.Connection, context: SSL.Context) -> SSL.Session | None:
    """Return the session of a connection for others to resume that begin with a context.

    The connection may have gone on to another context, for the certificate that it has shown, and pyOpenSSL ties its
    session to that one. They differ in nothing that a session depends on.
    """
    session: Any = connection.get_session()
    if session is not None:
        session._context = context
    return cast("SSL.Session | None", session)


def verifyErrorText(number: int) -> str:
    """Return what OpenSSL calls an error of its certificate verification."""
    return str(_ffi.string(_lib.X509_verify_cert_error_string(number)).decode("ascii", "replace"))


def prepareForPaths(context: SSL.Context) -> None:
    """Make the verification of a context's handshakes that of `verifyPath`."""
    # Else an authority's DNS name constraints would be applied to a common name, which is no DNS name.
    _lib.X509_VERIFY_PARAM_set_hostflags(_lib.SSL_CTX_get0_param(context._context), _NEVER_CHECK_SUBJECT)
    if (store := context.get_cert_store()) is not None:
        store.set_flags(_PATH_FLAGS)


def verifyPath(
    path: Sequence[x509.Certificate], purpose: int, at: datetime
) -> tuple[tuple[x509.Certificate, ...], int, int]:
    """Ask OpenSSL about one path, with nothing else at hand that it could build another one of.

    Args:
        path: the peer's own certificate first, the authority that is trusted last.
        purpose: what the certificates have to be for, an ``X509_PURPOSE_…`` of x509v3.h.
        at: the time to judge for, with a time zone.

    Returns:
        The chain that OpenSSL built, 0 and 0 where it accepts one; the path, the error number and its depth where not.
    """
    store = X509Store()
    parameters = _ffi.gc(_lib.X509_VERIFY_PARAM_new(), _lib.X509_VERIFY_PARAM_free)
    _lib.X509_VERIFY_PARAM_set_time(parameters, int(at.timestamp()))
    _lib.X509_VERIFY_PARAM_set_flags(parameters, int(_PATH_FLAGS))
    _lib.X509_VERIFY_PARAM_set_hostflags(parameters, _NEVER_CHECK_SUBJECT)
    _lib.X509_STORE_set1_param(store._store, parameters)
    _lib.X509_STORE_set_purpose(store._store, purpose)
    try:
        leaf, *issuers = (X509.from_cryptography(certificate) for certificate in path)
        store.add_cert(issuers[-1] if issuers else leaf)
        verified = X509StoreContext(store, leaf, issuers[:-1]).get_verified_chain()
    except X509StoreContextError as refused:
        _clearErrors()
        number, depth, *_ = refused.errors
        return (*path,), number, depth
    except CryptoError:
        # It cannot even be read.
        return (*path,), _UNSPECIFIED, 0
    return tuple(certificate.to_cryptography() for certificate in verified), 0, 0


def _lengthPrefixed(names: bytes) -> Iterator[bytes]:
    while names:
        yield names[1 : 1 + names[0]]
        names = names[1 + names[0] :]


def _builtChain(context: Any) -> list[x509.Certificate]:
    stack = _lib.X509_STORE_CTX_get1_chain(context)
    if stack == _ffi.NULL:
        return []
    stack = _ffi.gc(stack, _lib.sk_X509_free)
    chain = []
    for index in range(_lib.sk_X509_num(stack)):
        # get1 has counted one more reference for each certificate, which the X509 object takes over.
        chain.append(X509._from_raw_x509_ptr(_lib.sk_X509_value(stack, index)).to_cryptography())
    return chain


def _nameBytes(name: Any) -> bytes:
    out = _ffi.new("unsigned char **")
    size = _lib.i2d_X509_NAME(name, out)
    try:
        return bytes(_ffi.buffer(out[0], max(size, 0)))
    finally:
        _lib.OPENSSL_free(out[0])


def _errorQueue() -> tuple[str, ...]:
    reasons = []
    while number := _lib.ERR_get_error():
        text = _lib.ERR_reason_error_string(number)
        reasons.append(_ffi.string(text).decode("utf-8", "replace") if text != _ffi.NULL else f"error {number}")
    return tuple(reasons)


# An exception must not cross OpenSSL. cffi prints it and returns the value of `error`, which refuses.
@_ffi.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
def _verifyCallback(ok: int, context: Any) -> int:
    ssl = _lib.X509_STORE_CTX_get_ex_data(context, _lib.SSL_get_ex_data_X509_STORE_CTX_idx())
    return _channels[ssl]._verify(ok, context)


@_ffi.callback("void (*)(const SSL *, const char *)")  # type: ignore[untyped-decorator]
def _keylogCallback(ssl: Any, line: Any) -> None:
    if (channel := _channels.get(ssl)) is not None:
        label, _, secret = _ffi.string(line).split(b" ")
        if label == (b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" if channel._isClient else b"SERVER_TRAFFIC_SECRET_0"):
            channel.secret = bytes.fromhex(secret.decode("ascii"))


@_ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def _infoCallback(ssl: Any, where: int, value: int) -> None:
    if (channel := _channels.get(ssl)) is not None:
        if channel._foreignInfo is not None:
            channel._foreignInfo(ssl, where, value)
        channel._noteEvent(where, value)


# A server has some twenty states in a handshake, and nothing is to be learnt from them but alerts.
@_ffi.callback("void (*)(const SSL *, int, int)")  # type: ignore[untyped-decorator]
def _alertCallback(ssl: Any, where: int, value: int) -> None:
    if where & SSL.SSL_CB_ALERT and (channel := _channels.get(ssl)) is not None:
        channel._noteEvent(where, value)


@_ffi.callback("int (*)(SSL *, void *)", error=0)  # type: ignore[untyped-decorator]
def _certificateCallback(ssl: Any, _argument: Any) -> int:
    return _channels[ssl]._showCertificate()


@_ffi.callback("void (*)(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]
def _messageCallback(sent: int, _v: int, kind: int, data: Any, size: int, ssl: Any, _a: Any) -> None:
    if not sent and kind == _HANDSHAKE and size:
        message = _ffi.buffer(data, size)
        if message[0] == _CERTIFICATE_REQUEST and (channel := _channels.get(ssl)) is not None:
            channel.certificateRequest = message[:]
