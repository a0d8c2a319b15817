"""What a user can rely on in ``tlscomm pki revoke`` and ``crl``."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from test_pki_issue import extension, pki, put, record, told
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.credentials import loadCertificates
from tlscomm.issuing import Authority, writeDevelopmentAuthority
from tlscomm.x509._encoding import keyPEM, pem


def revocations() -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl(Path("certs/crl.pem").read_bytes())


def number() -> int:
    return int(extension(revocations(), x509.CRLNumber).crl_number)  # type: ignore[arg-type]


class RevokeTests(SynchronousTestCase):
    """``tlscomm pki revoke``."""

    def setUp(self) -> None:
        self.authority = writeDevelopmentAuthority("certs").authority

    def issue(self, name: str) -> str:
        return str(told("issue", "client", name)["certificate"]["serial"])

    def revoked(self) -> set[str]:
        return {f"{entry.serial_number:x}" for entry in revocations()}

    def test_list(self) -> None:
        """The list is there at once, with the reason, its authority's signature, and the option that uses it."""
        serial = self.issue("alice")
        output = pki("revoke", "alice", "--reason", "KEYCOMPROMISE")
        self.assertIn("--crl certs/crl.pem", output)
        made = revocations()
        self.assertTrue(made.is_signature_valid(self.authority.privateKey.public_key()))  # type: ignore[arg-type]
        (entry,) = made
        self.assertEqual(f"{entry.serial_number:x}", serial)
        self.assertEqual(extension(entry, x509.CRLReason).reason, x509.ReasonFlags.key_compromise)  # type: ignore[arg-type]
        words = ["-crl_check", "-CAfile", "certs/ca.pem", "-CRLfile", "certs/crl.pem"]
        for name, isGood in (("alice", False), ("client", True)):
            run = subprocess.run(["openssl", "verify", *words, f"certs/{name}.pem"], capture_output=True, check=False)
            self.assertEqual(run.returncode == 0, isGood, run.stderr)

    def test_targets(self) -> None:
        """A name, a file and a serial number each do, in the forms that programs print, and several at once."""
        serials = [self.issue(name) for name in ("a", "b", "c", "d")]
        colons = ":".join(serials[3].zfill(40)[place : place + 2] for place in range(0, 40, 2)).upper()
        pki("revoke", "a", "certs/b.pem", f"0x{serials[2]}", colons)
        self.assertEqual(self.revoked(), set(serials))

    def test_all(self) -> None:
        """A name stands for all that was issued with it and is not expired; a file for the one in it."""
        serials = [self.issue("alice"), told("issue", "client", "alice", "--replace")["certificate"]["serial"]]
        pki("revoke", "certs/alice.cer")
        self.assertEqual(self.revoked(), {serials[1]})
        pki("revoke", "alice")
        self.assertEqual(self.revoked(), set(serials))

    def test_none(self) -> None:
        """What this authority has not issued is refused by name, and nothing is revoked."""
        self.issue("alice")
        stranger = Authority.create("other").issue("mallory", role="client")
        put("mallory.pem", pem([stranger.certificate]))
        for target, code in (
            ("bob", "file-not-found"),
            (f"{stranger.certificate.serial_number:x}", "file-not-found"),
            ("mallory.pem", "unknown-issuer"),
        ):
            self.assertEqual(told("revoke", "alice", target, status=1)["failure"]["code"], code)
        self.assertFalse(Path("certs/crl.pem").exists())
        pki("revoke", "alice", "--reason", "bored", status=2)

    def test_again(self) -> None:
        """What is revoked already keeps its time and reason, and that is said."""
        self.issue("alice")
        pki("revoke", "alice", "--reason", "superseded")
        before = list(revocations())
        made = told("revoke", "alice", "--reason", "keyCompromise")
        self.assertEqual((made["changed"], len(made["unchanged"])), ([], 1))
        (entry,) = revocations()
        self.assertEqual(entry.revocation_date_utc, before[0].revocation_date_utc)
        self.assertEqual(extension(entry, x509.CRLReason).reason, x509.ReasonFlags.superseded)  # type: ignore[arg-type]

    def test_hold(self) -> None:
        """What is on hold can be released, and nothing else."""
        for name, reason in (("alice", "certificateHold"), ("bob", "keyCompromise")):
            self.issue(name)
            pki("revoke", name, "--reason", reason)
        pki("revoke", "alice", "--release")
        pki("revoke", "bob", "--release", status=1)
        self.assertEqual([each["status"] for each in told("list")["certificates"]][2:], ["valid", "revoked"])

    def test_replacedRecord(self) -> None:
        """Where the record is lost, what was revoked stays revoked, and numbers go on."""
        serial = self.issue("alice")
        pki("revoke", "alice", "--reason", "keyCompromise")
        Path("certs/issued.json").unlink()
        for path in Path("certs").glob("alice*"):
            path.unlink()
        self.assertEqual(told("crl")["number"], 2)
        self.assertEqual(self.revoked(), {serial})
        self.assertEqual(record()["certificates"][0]["reason"], "keyCompromise")

    def test_lost(self) -> None:
        """Where neither the record nor the list can be read, that is named: nothing is revoked by an empty list."""
        pki("revoke", "client")
        Path("certs/issued.json").unlink()
        put("certs/crl.pem", b"broken")
        for words in (("crl",), ("issue", "client", "alice"), ("revoke", "server")):
            self.assertEqual(told(*words, status=1)["failure"]["code"], "damaged")
        self.assertEqual(Path("certs/crl.pem").read_bytes(), b"broken")

    def test_mended(self) -> None:
        """A list that is broken is written once more by the record."""
        pki("revoke", "client")
        put("certs/crl.pem", b"broken")
        self.assertEqual(told("crl")["number"], 2)
        self.assertEqual(len(self.revoked()), 1)

    def test_foreign(self) -> None:
        """What another program has issued with the authority can be revoked by its file."""
        credential = self.authority.issue("elsewhere", role="client", dnsNames=["elsewhere"])
        put("elsewhere.pem", pem([credential.certificate]))
        pki("revoke", "elsewhere.pem")
        self.assertEqual(self.revoked(), {f"{credential.certificate.serial_number:x}"})


class ListTests(SynchronousTestCase):
    """``tlscomm pki crl``."""

    def setUp(self) -> None:
        self.authority = writeDevelopmentAuthority("certs").authority

    def test_renewed(self) -> None:
        """It is written with nothing revoked, too; each has a higher number than the one before."""
        pki("crl")
        self.assertEqual((number(), list(revocations())), (1, []))
        pki("crl", "--days", "3")
        self.assertEqual(number(), 2)
        ends: Any = revocations().next_update_utc
        self.assertLess(abs(ends - datetime.now(timezone.utc) - timedelta(days=3)), timedelta(minutes=5))

    def test_bounded(self) -> None:
        """It does not outlive its authority, and not for years."""
        own = Authority.create("own", days=2)
        put("own.pem", pem([own.certificate]) + keyPEM(own.privateKey))
        pki("crl", "--ca", "own.pem")
        made = x509.load_pem_x509_crl(Path("own-crl.pem").read_bytes())
        self.assertEqual(made.next_update_utc, own.certificate.not_valid_after_utc)
        pki("crl", "--days", "1000", status=2)

    def test_mayNot(self) -> None:
        """An authority that may not sign lists is refused by name."""
        bits = dict.fromkeys(("key_agreement", "encipher_only", "decipher_only", "content_commitment"), False)
        others = dict.fromkeys(("digital_signature", "key_encipherment", "data_encipherment", "crl_sign"), False)
        usage = x509.KeyUsage(**bits, **others, key_cert_sign=True)
        own = Authority.create("own", extensions=[(usage, True)])
        put("own.pem", pem([own.certificate]) + keyPEM(own.privateKey))
        self.assertEqual(told("crl", "--ca", "own.pem", status=1)["failure"]["code"], "wrong-purpose")
        pki("issue", "client", "alice", "--ca", "own.pem")

    def test_listed(self) -> None:
        """What is written is what servers and clients read."""
        pki("issue", "client", "alice")
        pki("revoke", "alice")
        from tlscomm.revocation import loadRevocationLists

        (made,) = loadRevocationLists("certs/crl.pem")
        self.assertEqual(made, revocations())
        self.assertEqual(loadCertificates("certs/alice.pem")[0].issuer, made.issuer)
