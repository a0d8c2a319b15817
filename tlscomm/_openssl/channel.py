"""One OpenSSL connection over memory.

This is the path of every byte, so OpenSSL is called directly there, by names of this module.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from cryptography import x509
from OpenSSL import SSL

from tlscomm._openssl.binding import ffi, lib
from tlscomm._openssl.callbacks import (
    alertCallback,
    certificateCallback,
    channels,
    sharedInfoCallback,
    stateCallback,
    strictVerifyCallback,
    verifyCallback,
)
from tlscomm._openssl.certificates import ReadChain, encodedCertificate, readCertificate
from tlscomm._openssl.contexts import keepSecrets, passOnSecrets
from tlscomm._openssl.errors import OpenSSLError, clearErrors, takeErrors
from tlscomm._openssl.paths import encodedChain

__all__ = ["Channel"]

#: One read of the reactor (64 KiB) and the largest record that may have been waiting for its end.
_BUFFER_SIZE = 1 << 17
_LARGEST_RECORD = 1 << 14

#: No cache for servers, and no looking into it.
_NO_SESSIONS = SSL.SESS_CACHE_NO_INTERNAL

#: Level fatal; TLS 1.3 has no other but for these: close_notify, user_canceled, and TLS 1.2's no_renegotiation
#: (RFC 8446, section 6). TLS 1.2 servers warn of a name that they do not know and go on (RFC 6066, section 3).
_FATAL = 2
_NOT_FATAL = frozenset({0, 90, 100, 112})

#: X509_V_ERR_REJECTED of x509_vfy.h.
_REJECTED = 28

_feed = lib.BIO_write
_read = lib.SSL_read
_write = lib.SSL_write
_drain = lib.BIO_read
_available = lib.BIO_get_mem_data
_asBuffer = ffi.buffer
_ofBuffer = ffi.from_buffer


Judge = Callable[[Sequence[tuple[int, int]], Sequence[bytes]], int]


class _Scratch(threading.local):
    """Where OpenSSL puts bytes. One for each thread, because OpenSSL is called without the interpreter's lock."""

    def __init__(self) -> None:
        self.buffer = ffi.new("char[]", _BUFFER_SIZE)
        self.view = ffi.buffer(self.buffer)
        self.pointer = ffi.new("char **")
        # What is of a thread is costly to look up, so it is looked up once.
        self.all = self.buffer, self.view, self.pointer


_scratch = _Scratch()


class Channel:
    """One OpenSSL connection over memory: ciphertext in and out on one side, plaintext on the other.

    Attributes:
        judge: called in a full handshake in which the peer sent a certificate, with OpenSSL's problems as pairs of
            error number and depth, and with the chain (DER). It returns 0 to accept, or the error number that makes
            OpenSSL send the alert that fits. It is called again where OpenSSL finds another problem afterwards. Until
            it is set every certificate is refused.
        weigh: called where OpenSSL has found its first problem, before it has verified a signature with a key that a
            stranger may have chosen, with that problem and the chain (DER). It returns 0 to have OpenSSL go on, or the
            error number to end the handshake with. None where there is nothing to weigh.
        alertReceived: the number of the last fatal alert from the peer, or None.
        alertSent: the number of the last fatal alert that we sent; None where there was none, or where it is yet to be
            found in `output`.
        secret: under TLS 1.3, what the first record is sealed with that follows our verdict on the peer.
        certificateRequested: whether the server asked this client for a certificate.
        certificateSent: whether this client sent one and proved that it has the key.
        certificateRequest: the server's CertificateRequest, from its type on, where `keepRequests` was called for the
            context.
        keyLog: is given each line of the key log of the connection (RFC 9850, section 2), or None.
        ticketSeen: whether a session ticket came after the handshake, a TLS 1.3 server's sign of acceptance.
        closed: whether the peer's close_notify has come.
        error: what broke the connection after the handshake, or None.
        isOver: whether either is so, and no more plaintext comes.
    """

    __slots__ = (
        "__weakref__",
        "_cacheMode",
        "_foreignInfo",
        "_foreignVerify",
        "_in",
        "_isClient",
        "_leafSeen",
        "_notesEvents",
        "_out",
        "_peerCertificate",
        "_problems",
        "_select",
        "_selectionFailures",
        "_sessions",
        "_shown",
        "_ssl",
        "_vetoed",
        "alertReceived",
        "alertSent",
        "certificateRequest",
        "certificateRequested",
        "certificateSent",
        "closed",
        "connection",
        "error",
        "isOver",
        "judge",
        "keyLog",
        "secret",
        "ticketSeen",
        "weigh",
    )

    def __init__(
        self,
        connection: SSL.Connection,
        isClient: bool,
        select: Callable[[], SSL.Context | None] | None = None,
        keyLog: Callable[[bytes], None] | None = None,
    ) -> None:
        """
        Args:
            connection: a connection without a socket that has not begun its handshake. Its own verification callback,
                if it has one, is asked too: it may refuse more, and it may overrule OpenSSL.
            isClient: which side of the handshake we are.
            select: called in a full handshake when a certificate of ours is to be shown; returns the context whose
                certificate that is. With None a client shows none, and a server breaks the handshake off.
            keyLog: is given each line of the key log.
        """
        # The callbacks of the connection, of its context and ours all have to live as long as the SSL object.
        self.connection = connection
        self._ssl = connection._ssl
        self._in = connection._into_ssl
        self._out = connection._from_ssl
        self.judge: Judge = _refuseAll
        self.weigh: Judge | None = None
        self._select = select
        self._selectionFailures: tuple[Exception, ...] = ()
        self._shown: SSL.Context | None = None
        self._sessions: Any = connection.get_context()._context
        self._cacheMode: int | None = None
        self._foreignVerify: Any = connection._verify_callback
        self._foreignInfo = cast("Any", connection.get_context()._info_callback)
        self._vetoed = False
        self._problems: tuple[tuple[int, int], ...] = ()
        self._leafSeen = False
        self._isClient = isClient
        self._peerCertificate: Any = None
        self.alertReceived: int | None = None
        self.alertSent: int | None = None
        self.secret: bytes | None = None
        self.certificateRequested = False
        self.certificateSent = False
        self.certificateRequest: bytes | None = None
        self.ticketSeen = False
        self.closed = False
        self.error: OpenSSLError | None = None
        self.isOver = False
        channels[self._ssl] = self
        self.keyLog = keyLog
        (keepSecrets if keyLog is None else passOnSecrets)(connection.get_context())
        callback = verifyCallback if self._foreignVerify is None else strictVerifyCallback
        lib.SSL_set_verify(self._ssl, self._verifyMode(), callback)
        self._notesEvents = False
        if self._foreignInfo is not None:
            self.noteEvents()
        if select is not None:
            lib.SSL_set_cert_cb(self._ssl, certificateCallback, ffi.NULL)
        # pyOpenSSL has OpenSSL write no more than one record a call.
        lib.SSL_clear_mode(self._ssl, lib.SSL_MODE_ENABLE_PARTIAL_WRITE)
        if isClient:
            connection.set_connect_state()
        else:
            connection.set_accept_state()

    def feed(self, ciphertext: bytes) -> None:
        """Take bytes that came from the peer."""
        _feed(self._in, ciphertext, len(ciphertext))

    def drain(self) -> bytes:
        """Return the bytes that have to go to the peer now."""
        buffer, view, _ = _scratch.all
        size = _drain(self._out, buffer, _BUFFER_SIZE)
        if size < _BUFFER_SIZE:
            return view[:size] if size > 0 else b""
        whole = [view[:]]
        while (size := _drain(self._out, buffer, _BUFFER_SIZE)) > 0:
            whole.append(view[:size])
        return b"".join(whole)

    def handshake(self) -> bool:
        """Go on with the handshake; return whether it is done.

        Raises:
            OpenSSLError: it failed. An alert for the peer may have to be drained.
        """
        clearErrors()
        if self._cacheMode is not None:
            lib.SSL_CTX_set_session_cache_mode(self._sessions, _NO_SESSIONS)
        result = lib.SSL_do_handshake(self._ssl)
        if self._cacheMode is not None:
            lib.SSL_CTX_set_session_cache_mode(self._sessions, self._cacheMode)
        if result == 1:
            self.noteEvents()
            return True
        error = lib.SSL_get_error(self._ssl, result)
        if error in (lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_WANT_WRITE):
            if not self._notesEvents and lib.SSL_version(self._ssl) == SSL.TLS1_2_VERSION:
                self.noteEvents()
            return False
        # Under a name it would know itself, by its traceback.
        raise self._handshakeError()

    def noteEvents(self) -> None:
        """Have OpenSSL tell from now on of alerts, and a client of its states.

        A handshake does without, as far as it can. The fatal alert that ends it is among OpenSSL's errors where it
        came, and in `output` where we sent it. TLS 1.2 knows alerts that are not fatal, by which some peers refuse all
        the same. A client learns that it was asked for a certificate, and whether it has sent one, when it answers.
        """
        if not self._notesEvents:
            self._notesEvents = True
            ours = stateCallback if self._isClient else alertCallback
            lib.SSL_set_info_callback(self._ssl, ours if self._foreignInfo is None else sharedInfoCallback)

    def read(self, ciphertext: bytes = b"") -> bytes:
        """Return all plaintext that is there. The end of it, in order or not, is in `closed` and `error`, and `isOver`.

        Args:
            ciphertext: bytes that came from the peer, as for `feed`.
        """
        ssl, source = self._ssl, self._in
        buffer, view, pointer = _scratch.all
        if ciphertext:
            _feed(source, ciphertext, len(ciphertext))
        # SSL_get_error looks into the queue of the thread, where others may have left something.
        clearErrors()
        total = _read(ssl, buffer, _BUFFER_SIZE)
        if total <= 0:
            self._noteEnd(total)
            return b""
        whole: list[bytes] = []
        # A record may have been decrypted in part only where the buffer was too small for it, and it never is.
        while _available(source, pointer):
            if total > _BUFFER_SIZE - _LARGEST_RECORD:
                whole.append(view[:total])
                total = 0
            count = _read(ssl, buffer + total, _BUFFER_SIZE - total)
            if count <= 0:
                self._noteEnd(count)
                break
            total += count
        return b"".join([*whole, view[:total]]) if whole else view[:total]

    def write(self, plaintext: bytes | memoryview) -> None:
        """Encrypt; the ciphertext is drained afterwards.

        Raises:
            OpenSSLError: the connection is broken.
        """
        size = len(plaintext)
        if _write(self._ssl, plaintext if type(plaintext) is bytes else _ofBuffer(plaintext), size) != size:
            raise takeErrors()

    def sealed(self, plaintext: bytes | memoryview) -> bytes:
        """Encrypt, and return the bytes that have to go to the peer now: `write` and `drain` in one.

        Raises:
            OpenSSLError: the connection is broken.
        """
        self.write(plaintext)
        return self.drain()

    def close(self) -> None:
        """Write close_notify, unless it was written before."""
        clearErrors()
        lib.SSL_shutdown(self._ssl)
        clearErrors()

    def forbidResumption(self) -> None:
        """Have OpenSSL neither resume a session in this handshake nor keep the one of it."""
        # An external context may give the sessions themselves away, as tickets, which are not looked up here.
        lib.SSL_set_options(self._ssl, SSL.OP_NO_TICKET)
        if self._cacheMode is None:
            self._cacheMode = lib.SSL_CTX_get_session_cache_mode(self._sessions)
            # It may be called in the middle of the handshake.
            lib.SSL_CTX_set_session_cache_mode(self._sessions, _NO_SESSIONS)

    def forgetSession(self) -> None:
        """Have OpenSSL forget the session of this handshake, which it has kept where it takes the handshake for done.

        A TLS 1.2 client knows the session before we have judged it, and could resume it at once.
        """
        lib.SSL_set_session(self._ssl, ffi.NULL)

    def renewBuffers(self) -> None:
        """Give back the memory that bytes took on their way, unless there are some in it.

        OpenSSL's memory grows to the largest flight or message and never shrinks. It may be called at any time: what
        OpenSSL has read of a record that is not complete is not kept there.
        """
        if _available(self._in, _scratch.pointer) or _available(self._out, _scratch.pointer):
            return
        into, out = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        if ffi.NULL in (into, out):
            # No memory is left for the new ones, and the old ones will do.
            lib.BIO_free(into)
            lib.BIO_free(out)
            return
        # This frees the old ones, which pyOpenSSL reads and writes as well.
        lib.SSL_set_bio(self._ssl, into, out)
        self._in = self.connection._into_ssl = into
        self._out = self.connection._from_ssl = out

    def release(self) -> None:
        """Forget who judges and selects: the handshake is done, or will never be."""
        self.judge = _refuseAll
        self.weigh = None
        self._select = None
        self.secret = None

    @property
    def acceptedAuthorities(self) -> frozenset[bytes]:
        """The names, in DER, of the authorities that the server accepts, as it sent them; any where there are none."""
        names = lib.SSL_get_client_CA_list(self._ssl)
        count = 0 if names == ffi.NULL else lib.sk_X509_NAME_num(names)
        return frozenset(_nameBytes(lib.sk_X509_NAME_value(names, index)) for index in range(count))

    @property
    def countOfAuthorities(self) -> int:
        """How many names of authorities the server has sent, the same ones again included."""
        names = lib.SSL_get_client_CA_list(self._ssl)
        return 0 if names == ffi.NULL else int(lib.sk_X509_NAME_num(names))

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(lib.SSL_session_reused(self._ssl))

    @property
    def hasExtendedMasterSecret(self) -> bool:
        """Whether the secret of a TLS 1.2 handshake is tied to all of it (RFC 7627)."""
        return bool(lib.SSL_get_extms_support(self._ssl) == 1)

    @property
    def hasOutput(self) -> bool:
        """Whether there are bytes to drain."""
        return bool(_available(self._out, _scratch.pointer))

    @property
    def output(self) -> bytes:
        """The bytes that have yet to be drained."""
        size = _available(self._out, _scratch.pointer)
        return _asBuffer(_scratch.pointer[0], size)[:] if size > 0 else b""

    @property
    def foundThen(self) -> int:
        """The number of an error that OpenSSL found in the handshake of this session, even if overruled, or 0."""
        return int(lib.SSL_get_verify_result(self._ssl))

    @property
    def waiting(self) -> int:
        """How many bytes from the peer OpenSSL has yet to read."""
        return int(_available(self._in, _scratch.pointer))

    def keepPeerCertificate(self) -> None:
        """Have `peerCertificate` be that of now, whatever a later handshake of the connection brings."""
        mayRenegotiate = not lib.SSL_get_options(self._ssl) & SSL.OP_NO_RENEGOTIATION
        if mayRenegotiate and lib.SSL_version(self._ssl) != SSL.TLS1_3_VERSION:
            self._peerCertificate = _ownCertificate(self._ssl)

    @property
    def peerCertificate(self) -> x509.Certificate:
        """The peer's own certificate. There must be one."""
        kept = self._peerCertificate
        return readCertificate(encodedCertificate(_ownCertificate(self._ssl) if kept is None else kept))

    @property
    def presented(self) -> ReadChain:
        """The certificates that the peer sent in this handshake, or in the one that it resumes, its own first."""
        return ReadChain.of(map(encodedCertificate, self._presented()))

    def presentedWhile(self, isWanted: Callable[[bytes], bool]) -> ReadChain:
        """Return the certificates that a peer sent that is refused, its own first, as far as they are wanted.

        Args:
            isWanted: asked about each but its own, as DER. After the first that is not, no other one is looked at.
        """
        wanted: list[bytes] = []
        for encoded in map(encodedCertificate, self._presented()):
            if wanted and not isWanted(encoded):
                break
            wanted.append(encoded)
        return ReadChain.of(wanted, isStrangers=True)

    def _presented(self) -> Iterator[Any]:
        own = lib.SSL_get_peer_certificate(self._ssl)
        if own == ffi.NULL:
            return
        yield ffi.gc(own, lib.X509_free)
        stack = lib.SSL_get_peer_cert_chain(self._ssl)
        # A client's list has the server's own certificate, and a server's has not the client's.
        for index in range(int(self._isClient), 0 if stack == ffi.NULL else lib.sk_X509_num(stack)):
            yield lib.sk_X509_value(stack, index)

    @property
    def staple(self) -> bytes | None:
        """The OCSP response (DER) that came with the server's certificate, or None."""
        response = ffi.new("unsigned char **")
        size = lib.SSL_get_tlsext_status_ocsp_resp(self._ssl, response)
        return _asBuffer(response[0], size)[:] if size > 0 else None

    def _noteEnd(self, result: int) -> None:
        error = lib.SSL_get_error(self._ssl, result)
        if error in (lib.SSL_ERROR_WANT_READ, lib.SSL_ERROR_WANT_WRITE):
            return
        self.isOver = True
        if error == lib.SSL_ERROR_ZERO_RETURN:
            self.closed = True
            return
        broken = self._takeErrors()
        # OpenSSL takes a close_notify after user_canceled for no end. Java sends both (RFC 8446, section 6.1).
        isClosed = not broken.reasons and self.alertReceived is None
        if isClosed and self.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN:
            self.closed = True
        else:
            self.error = broken

    def _takeErrors(self, exceptions: tuple[Exception, ...] = ()) -> OpenSSLError:
        broken = takeErrors(exceptions)
        if broken.alertReceived is not None:
            self.alertReceived = broken.alertReceived
        return broken

    def _handshakeError(self) -> OpenSSLError:
        if self._isClient and lib.SSL_get_client_CA_list(self._ssl) != ffi.NULL:
            # It may have failed before it has answered.
            self.certificateRequested = True
        return self._takeErrors(self._foreignProblems())

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
        depth = lib.X509_STORE_CTX_get_error_depth(context)
        if not ok:
            # Going on after an error makes OpenSSL report the next one, and in the end the leaf with ok = 1.
            self._problems = (*self._problems, (lib.X509_STORE_CTX_get_error(context), depth))
            if self.weigh is not None and len(self._problems) == 1:
                verdict = self.weigh(self._problems, encodedChain(context))
                if verdict:
                    lib.X509_STORE_CTX_set_error(context, verdict)
                    return 0
        # Name constraints and policies are checked after that, so what is found then needs a verdict of its own.
        if not self._leafSeen and (depth or not ok):
            return 1
        self._leafSeen = True
        if self._isClient:
            self.noteEvents()
        verdict = self.judge(self._problems, encodedChain(context))
        if not verdict and self._vetoed:
            verdict = _REJECTED
        # A session keeps this number, its tickets too, and is known by it for one that was not good in itself.
        lib.X509_STORE_CTX_set_error(context, verdict or (self._problems[0][0] if self._problems else 0))
        return int(verdict == 0)

    def _showCertificate(self) -> int:
        if self._select is None:
            return 1
        try:
            context = self._select()
        except Exception as problem:
            self._selectionFailures = (*self._selectionFailures, problem)
            return 0
        if context is not None:
            if self.keyLog is not None:
                passOnSecrets(context)
            # Not by the connection's own method: the context of its sessions is the one that it began with.
            lib.SSL_set_SSL_CTX(self._ssl, context._context)
            self._shown = context
        return int(self._isClient or context is not None)

    def _noteAlert(self, where: int, value: int) -> None:
        number, level = value & 0xFF, value >> 8
        if level == _FATAL or number not in _NOT_FATAL:
            if where & SSL.SSL_CB_READ:
                self.alertReceived = number
            else:
                self.alertSent = number


def _ownCertificate(ssl: Any) -> Any:
    """Return the peer's own certificate in OpenSSL's form."""
    return ffi.gc(lib.SSL_get_peer_certificate(ssl), lib.X509_free)


def _refuseAll(_problems: Sequence[tuple[int, int]], _chain: Sequence[bytes]) -> int:
    return _REJECTED


def _nameBytes(name: Any) -> bytes:
    out = ffi.new("unsigned char **")
    size = lib.i2d_X509_NAME(name, out)
    try:
        return bytes(ffi.buffer(out[0], max(size, 0)))
    finally:
        lib.OPENSSL_free(out[0])
