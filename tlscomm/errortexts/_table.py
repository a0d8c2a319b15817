"""The table of sentences, and what each program has for them."""

from __future__ import annotations

from tlscomm.errortexts._alerttexts import alertTexts
from tlscomm.errortexts._dotnettexts import DOTNET_TEXTS
from tlscomm.errortexts._errortext import ErrorText
from tlscomm.errortexts._gnutlstexts import GNUTLS_TEXTS
from tlscomm.errortexts._gotexts import GO_TEXTS
from tlscomm.errortexts._javatexts import JAVA_TEXTS
from tlscomm.errortexts._openssltexts import OPENSSL_TEXTS
from tlscomm.errortexts._othertexts import OTHER_TEXTS
from tlscomm.errortexts._reportedtexts import REPORTED_TEXTS

__all__ = ["ERROR_TEXTS"]

ERROR_TEXTS: tuple[ErrorText, ...] = (
    *OPENSSL_TEXTS,
    *alertTexts(),
    *GO_TEXTS,
    *JAVA_TEXTS,
    *DOTNET_TEXTS,
    *GNUTLS_TEXTS,
    *OTHER_TEXTS,
    *REPORTED_TEXTS,
)
"""Every sentence that is known, OpenSSL's first."""
