"""What happened on a connection, message by message, and why it ended as it did: live, or read from a capture.

A `Trace` is made by a connection that was traced, or by `readCaptures`. It is the same object either way, and
`tlscomm.drawing` draws it. `Tracing` says what is traced of live connections, and where it goes.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "CaptureFile",
    "CertificateSeen",
    "Choice",
    "EventObserver",
    "KeyLogFile",
    "Pseudonyms",
    "Span",
    "Trace",
    "TraceFolder",
    "TraceObserver",
    "Tracing",
    "Verdict",
    "readCaptures",
    "redactCaptures",
    "redactTrace",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.tracing._capturefile import CaptureFile
    from tlscomm.tracing._captures import readCaptures
    from tlscomm.tracing._folder import TraceFolder
    from tlscomm.tracing._keylogfile import KeyLogFile
    from tlscomm.tracing._pseudonyms import Pseudonyms
    from tlscomm.tracing._redactedcaptures import redactCaptures
    from tlscomm.tracing._redacting import redactTrace
    from tlscomm.tracing._trace import CertificateSeen, Choice, Span, Trace, Verdict
    from tlscomm.tracing._tracing import EventObserver, TraceObserver, Tracing
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "CaptureFile": "tlscomm.tracing._capturefile",
            "CertificateSeen": "tlscomm.tracing._trace",
            "Choice": "tlscomm.tracing._trace",
            "EventObserver": "tlscomm.tracing._tracing",
            "KeyLogFile": "tlscomm.tracing._keylogfile",
            "Pseudonyms": "tlscomm.tracing._pseudonyms",
            "Span": "tlscomm.tracing._trace",
            "Trace": "tlscomm.tracing._trace",
            "TraceFolder": "tlscomm.tracing._folder",
            "TraceObserver": "tlscomm.tracing._tracing",
            "Tracing": "tlscomm.tracing._tracing",
            "Verdict": "tlscomm.tracing._trace",
            "readCaptures": "tlscomm.tracing._captures",
            "redactCaptures": "tlscomm.tracing._redactedcaptures",
            "redactTrace": "tlscomm.tracing._redacting",
        },
    )
