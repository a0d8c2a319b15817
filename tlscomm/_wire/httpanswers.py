"""What a server says in HTTP of a client's certificate, where its TLS has let the client pass.

nginx does so with ``ssl_verify_client on``: it answers the first request with the status 400, and one of two pages
(``src/http/ngx_http_special_response.c``). Only these phrases are ever told; nothing of what was said is kept.
"""

from __future__ import annotations

__all__ = ["CERTIFICATE_REFUSED", "NO_CERTIFICATE_SENT", "certificateRefusalIn"]

NO_CERTIFICATE_SENT = "400 No required SSL certificate was sent"
CERTIFICATE_REFUSED = "400 The SSL certificate error"

#: nginx's page is behind a few lines of header, and in HTTP/2 behind a frame.
_MOST_SEARCHED = 4096


def certificateRefusalIn(data: bytes) -> str:
    """Return the phrase by which a server refuses the client's certificate in a record of HTTP; empty where none does.

    Args:
        data: what the record holds.
    """
    searched = data[:_MOST_SEARCHED]
    phrases = (NO_CERTIFICATE_SENT, CERTIFICATE_REFUSED)
    return next((phrase for phrase in phrases if b"<title>" + phrase.encode() + b"</title>" in searched), "")
