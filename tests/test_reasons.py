"""The tables that translate OpenSSL's words know the OpenSSL that is in use."""

from OpenSSL.SSL import X509VerificationCodes
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES, Alert, codeForAlert
from tlscomm.failures._alerts import _CODES, _NAMES
from tlscomm.verification import _opensslerrors as reasons


class VerifyErrors(SynchronousTestCase):
    def test_everyCodeIsOnTheList(self) -> None:
        self.assertEqual(set(reasons._VERIFY_ERRORS.values()) - set(CODES), set())
        self.assertEqual(set(reasons._ERRORS_FOR_CODES) - set(CODES), set())
        self.assertEqual(set(reasons._REASONS.values()) - set(CODES), set())

    def test_numbersMeanWhatOpenSSLMeans(self) -> None:
        codes = X509VerificationCodes
        for number, code in (
            (codes.ERR_CERT_HAS_EXPIRED, "expired"),
            (codes.ERR_CERT_NOT_YET_VALID, "not-yet-valid"),
            (codes.ERR_CERT_REVOKED, "revoked"),
            (codes.ERR_CERT_SIGNATURE_FAILURE, "bad-signature"),
            (codes.ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed"),
            (codes.ERR_SELF_SIGNED_CERT_IN_CHAIN, "unknown-issuer"),
            (codes.ERR_INVALID_PURPOSE, "wrong-purpose"),
            (codes.ERR_INVALID_CA, "not-permitted"),
            (codes.ERR_PATH_LENGTH_EXCEEDED, "chain-too-long"),
            (codes.ERR_PERMITTED_VIOLATION, "not-permitted"),
            (codes.ERR_EXCLUDED_VIOLATION, "not-permitted"),
            (codes.ERR_HOSTNAME_MISMATCH, "name-mismatch"),
            (codes.ERR_UNABLE_TO_GET_CRL, "revocation-unknown"),
            (codes.ERR_CRL_HAS_EXPIRED, "revocation-unknown"),
        ):
            self.assertEqual(reasons.codeForVerifyError(number), code, str(number))

    def test_unknownErrorIsARefusalAllTheSame(self) -> None:
        self.assertEqual(reasons.codeForVerifyError(9999), "invalid-certificate")
        self.assertNotEqual(reasons.errorToReport("no-such-code", None), 0)

    def test_noProblemIsEverReportedAsNone(self) -> None:
        self.assertNotIn(0, [reasons.errorToReport(code, None) for code in CODES])

    def test_whatOpenSSLFoundIsReportedBack(self) -> None:
        self.assertEqual(reasons.errorToReport("expired", 10), 10)

    def test_whatWeNamedOtherwiseIsReportedByItsName(self) -> None:
        self.assertEqual(reasons.errorToReport("name-mismatch", 10), 62)

    def test_anUnknownRevocationIsNotReportedAsAnUnknownAuthority(self) -> None:
        self.assertEqual(reasons.errorToReport("revocation-unknown", 3), 44)


class Reasons(SynchronousTestCase):
    def test_firstKnownReasonDecides(self) -> None:
        self.assertEqual(reasons.codeForReasons(["whatever", "no shared cipher"]), "no-common-cipher")

    def test_unknownReasonsAreAProtocolViolation(self) -> None:
        self.assertEqual(reasons.codeForReasons(["whatever"]), "protocol-violation")
        self.assertEqual(reasons.codeForReasons([]), "protocol-violation")


class Alerts(SynchronousTestCase):
    def test_everyCodeIsOnTheList(self) -> None:
        self.assertEqual(set(_CODES.values()) - set(CODES), set())

    def test_everyMappedAlertHasAName(self) -> None:
        self.assertEqual(set(_CODES) - set(_NAMES), set())

    def test_unknownAlertHasANumberForAName(self) -> None:
        self.assertEqual(Alert(200, "received").name, "alert_200")
        self.assertEqual(codeForAlert(200), "protocol-violation")
