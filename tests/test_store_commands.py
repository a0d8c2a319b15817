"""What a user can rely on in ``tlscomm store``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7, pkcs12
from forkserver import python
from storefiles import StoreCase, authority, client, intermediate, mode, pemOf, server, thumbprint

from tests.test_trusted_certificates import BLOCKS, block
from tlscomm.commandline import program
from tlscomm.commandline._exporting import exported
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.x509._encoding import pem

PASSPHRASE = b"correct horse"


class CommandCase(StoreCase):
    """Runs the commands on stores of its own."""

    def run_(self, *arguments: str, status: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(program, ["store", *arguments], input=input)
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def json(self, *arguments: str, status: int = 0) -> Any:
        result = self.run_(*arguments, "--json", status=status)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def secret(self, file: str, content: bytes) -> str:
        Path(file).touch(0o600)
        Path(file).write_bytes(content)
        return file


class ListTests(CommandCase):
    """``tlscomm store list`` and ``find``."""

    def setUp(self) -> None:
        super().setUp()
        self.store().add(server(), exportable=False)
        self.store().add(client())
        self.store().add(authority().certificate)

    def test_plain(self) -> None:
        """In a pipe each certificate is one line with its whole thumbprint, and there is no colour."""
        lines = self.run_("list").stdout.splitlines()
        self.assertEqual(len(lines), 4)
        (line,) = [line for line in lines if line.startswith("Gateway")]
        for part in ("the middle", "days", "yes, not exportable", "server", thumbprint(server().certificate)):
            self.assertIn(part, line)
        self.assertNotIn("\x1b", "".join(lines))

    def test_json(self) -> None:
        """For programs it is one object, with everything but the keys."""
        listed = self.json("list")
        self.assertEqual((listed["store"], listed["folder"]), ("CurrentUser/My", str(self.folder / "my")))
        (entry,) = [entry for entry in listed["entries"] if entry["subject"] == "CN=Gateway"]
        self.assertEqual(entry["source"], f"store:CurrentUser/My:thumbprint={thumbprint(server().certificate)}")
        self.assertEqual((entry["hasPrivateKey"], entry["isExportable"], entry["purposes"]), (True, False, ["server"]))
        self.assertEqual(entry["usableAs"], {"server": [], "client": ["wrong-purpose"]})
        self.assertIn(entry["daysLeft"], (396, 397))
        self.assertEqual([issuer["subject"] for issuer in entry["chain"]], ["CN=the middle"])

    def test_problems(self) -> None:
        """A damaged file is reported on standard error, or in the object, and the others are listed."""
        (self.folder / "my" / "cut.pfx").write_bytes(b"\x30\x82\x01\x00\x02\x01\x03\x30")
        result = self.run_("list")
        self.assertEqual(len(result.stdout.splitlines()), 4)
        self.assertIn("cut.pfx", result.stderr)
        listed = self.json("list")
        self.assertEqual(
            (len(listed["entries"]), [problem["code"] for problem in listed["problems"]]), (3, ["damaged"])
        )

    def test_encrypted(self) -> None:
        """A file with a pass phrase is reported with how to add it again, and that works."""
        file = self.folder / "my" / "protected.pfx"
        self.secret(str(file), exported(authority().issue("other", role="client"), "pfx", PASSPHRASE))
        (problem,) = self.json("list")["problems"]
        self.assertEqual(problem["code"], "passphrase-required")
        self.assertIn(f"store add --passphrase-file FILE --store CurrentUser/My {file}. Then", problem["nextStep"])
        self.run_("add", "--passphrase-file", self.secret("phrase", PASSPHRASE), "--store", "CurrentUser/My", str(file))
        file.unlink()
        self.assertEqual(len(self.json("list")["entries"]), 4)

    def test_exposed(self) -> None:
        """A key that others can read is marked in the list."""
        (self.folder / "my" / f"{thumbprint(server().certificate)}.pfx").chmod(0o644)
        self.assertIn("unsafe-permissions", self.run_("list").stdout)

    def test_empty(self) -> None:
        """An empty store says so on standard error, and is no failure."""
        result = self.run_("list", "--store", "LocalMachine/TrustedPeople")
        self.assertEqual((result.stdout, result.stderr), ("", "LocalMachine/TrustedPeople is empty.\n"))

    def test_find(self) -> None:
        """A search takes options, words, a thumbprint, or a source, and all of it has to fit."""
        digits = thumbprint(client().certificate)
        for words in (
            ["--subject", "a client"],
            ["subject=a client"],
            ["subject=a client", "--has-private-key", "yes", "validAt=now"],
            [digits.lower()],
            [f"store:CurrentUser/My:thumbprint={digits}"],
            ["subject=a client:validAt=now"],
            ["--subject-dn", "CN=a client,O=Example"],
            ["--extended-key-usage", "client", "--issuer", "root", "hasPrivateKey=yes"],
        ):
            self.assertEqual([entry["thumbprint"] for entry in self.json("find", *words)["entries"]], [digits], words)

    def test_findSource(self) -> None:
        """A source goes before the store that is named."""
        found = self.json("find", "--store", "LocalMachine/CA", "store:CurrentUser/My:subject=gateway")
        self.assertEqual(found["store"], "CurrentUser/My")

    def test_notFound(self) -> None:
        """Where nothing fits, that is a failure with its name."""
        self.assertIn("not-in-store", self.run_("find", "subject=nobody", status=1).stderr)
        self.assertEqual(self.json("find", "subject=nobody", status=1)["failure"]["code"], "not-in-store")

    def test_wrongUsage(self) -> None:
        """Wrong words are wrong usage, and named."""
        for words, said in (
            (["list", "--store", "My"], "LOCATION/NAME"),
            (["list", "--store", "CurrentUser/../x"], "store's name"),
            (["find", "color=red"], "thumbprint=color=red"),
            (["find", "--valid-at", "then"], "validAt=then"),
            (["find", "--subject", "a", "subject=b"], "subject is there twice"),
        ):
            self.assertIn(said, self.run_(*words, status=2).stderr)


class ShowTests(CommandCase):
    """``tlscomm store show``."""

    def test_shown(self) -> None:
        """It says what a certificate is, its chain, where it lies, and whether each side can use it."""
        entry = self.store().add(server(), friendlyName="Front door")
        output = self.run_("show", "subject=gateway").stdout
        for part in (
            *("CN=Gateway", "CN=the middle", "dns:gateway.example", "ECDSA P-256", "Front door", entry.thumbprint),
            *(str(entry.path), entry.source, "Chain: the middle", "wrong-purpose", "nothing is in the way"),
        ):
            self.assertIn(part, output)

    def test_several(self) -> None:
        """Where several fit, they are listed with what tells them apart."""
        self.store().add(server())
        self.store().add(client())
        failure = self.json("show", status=1)["failure"]
        self.assertEqual(failure["code"], "ambiguous")
        self.assertIn(thumbprint(client().certificate), failure["message"])

    def test_hostile(self) -> None:
        """Nothing in a certificate's names is obeyed by the terminal."""
        evil = "evil \x1b]0;title\x07\n[bold]name\u202e"
        self.store().add(authority().issue(evil, role="client", organization=evil), friendlyName=evil)
        for command in ("show", "list", "pick"):
            result = self.run_(command, input="1\n")
            for character in "\x1b\x07\u202e":
                self.assertNotIn(character, result.output)
            self.assertIn(r"evil \x1b]0;title\x07\n[bold]name\u202e", result.output)


class AddTests(CommandCase):
    """``tlscomm store add``."""

    def test_credential(self) -> None:
        """A PFX becomes one entry with its key and chain."""
        file = self.secret("server.pfx", exported(server(), "pfx", b""))
        self.assertIn("Gateway", self.run_("add", file, "--friendly-name", "x").stdout)
        (entry,) = self.store().contents().entries
        self.assertEqual(
            (entry.hasPrivateKey, entry.credential.chain, entry.friendlyName),
            (True, (intermediate().certificate,), "x"),
        )

    def test_key(self) -> None:
        """The key may be in another file."""
        Path("server.cer").write_bytes(server().certificate.public_bytes(Encoding.DER))
        self.run_("add", "server.cer", "--key", self.secret("server.pem", pemOf(server())))
        self.assertTrue(self.store().contents().entries[0].hasPrivateKey)

    def test_otherKey(self) -> None:
        """A key that is another certificate's is refused, and nothing is added."""
        Path("server.cer").write_bytes(server().certificate.public_bytes(Encoding.DER))
        key = self.secret("client.pem", pemOf(client()))
        self.assertEqual(self.json("add", "server.cer", "--key", key, status=1)["failure"]["code"], "key-mismatch")
        self.assertEqual(self.store().contents().entries, ())

    def test_certificates(self) -> None:
        """A file without a key becomes an entry for each of its certificates."""
        Path("all.pem").write_bytes(
            authority().certificate.public_bytes(Encoding.PEM) + intermediate().certificate.public_bytes(Encoding.PEM)
        )
        added = self.json("add", "all.pem", "--store", "CurrentUser/Root")
        self.assertEqual(
            {entry["subject"] for entry in added["added"]}, {"CN=the root,O=Example\\, Inc.", "CN=the middle"}
        )

    def test_passphrase(self) -> None:
        """The pass phrase comes from a file or the environment; without, or with another, the failure says so."""
        file = self.secret("server.pfx", exported(server(), "pfx", PASSPHRASE))
        self.secret("phrase", PASSPHRASE + b"\n")
        self.secret("other", b"other\n")
        for options, code in (([], "passphrase-required"), (["--passphrase-file", "other"], "passphrase-wrong")):
            self.assertEqual(self.json("add", file, *options, status=1)["failure"]["code"], code)
        self.run_("add", file, "--passphrase-file", "phrase")
        os.environ["PHRASE"] = PASSPHRASE.decode()
        self.run_("add", file, "--passphrase-env", "PHRASE")
        self.run_("add", file, "--passphrase-env", "PHRASE", "--passphrase-file", "other")

    def test_readable(self) -> None:
        """A file that others can read is taken in: a store is a better place for its key."""
        self.secret("server.pem", pemOf(server()))
        Path("server.pem").chmod(0o644)
        self.run_("add", "server.pem")

    def test_unreadable(self) -> None:
        """A file that is none is named with its code."""
        Path("picture.png").write_bytes(b"\x89PNG\r\n")
        self.assertIn("unknown-format", self.run_("add", "picture.png", status=1).stderr)
        self.assertIn("file-not-found", self.run_("add", "nothing", status=1).stderr)

    def test_allOrNothing(self) -> None:
        """Where one of several files cannot be read, it is named and none is added."""
        files = self.secret("server.pem", pemOf(server())), "nofile", self.secret("client.pem", pemOf(client()))
        result = self.run_("add", *files, status=1)
        self.assertIn("nofile", result.stderr)
        self.assertEqual(self.titles(self.store()), [])

    def test_bundle(self) -> None:
        """Of a bundle that has one that cannot be read the others are added, and that one is named."""
        bundle = pem([authority().certificate]) + pem([client().certificate]).replace(b"MII", b"MIA", 1)
        result = self.run_("add", self.secret("bundle.pem", bundle))
        self.assertRegex(result.stderr, r"Warning: left out, damaged: .* bundle.pem \(line \d+\)")
        self.assertEqual(len(self.titles(self.store())), 1)
        self.run_("add", self.secret("own.pem", pemOf(client()) + bundle), status=1)

    def test_noCertificate(self) -> None:
        """Of a key alone it says that the certificate's file is to be named."""
        key = server().requireKey().privateKey
        assert key is not None
        content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = self.secret("server.key", content)
        for options in ((), ("--key", file)):
            failure = self.json("add", file, *options, status=1)["failure"]
            self.assertEqual(failure["code"], "no-certificate")
            self.assertIn("--key", failure["nextStep"])
            self.assertNotIn("acceptable authorities", failure["nextStep"])

    def test_again(self) -> None:
        """Adding again keeps name and mark, until others are given."""
        file = self.secret("server.pem", pemOf(server()))
        self.run_("add", file, "--not-exportable", "--friendly-name", "x")
        (entry,) = self.json("add", file)["added"]
        self.assertEqual((entry["isExportable"], entry["friendlyName"]), (False, "x"))
        (entry,) = self.json("add", file, "--exportable", "--friendly-name", "y")["added"]
        self.assertEqual((entry["isExportable"], entry["friendlyName"]), (True, "y"))

    def test_noRoom(self) -> None:
        """A store that cannot be written is named without a traceback."""
        self.folder.write_bytes(b"")
        self.assertIn("unreadable", self.run_("add", self.secret("s.pem", pemOf(server())), status=1).stderr)

    def test_anAuthorityThatItsFileDoesNotTrust(self) -> None:
        """In a store nothing would say any more what it is not trusted for."""
        self.secret("rejected.pem", block(BLOCKS["rejected for clients"][0]))
        self.assertIn("wrong-purpose", self.run_("add", "rejected.pem", status=1).stderr)
        self.assertEqual(self.json("list")["entries"], [])
        self.assertIn("wrong-purpose", CliRunner().invoke(program, ["inspect", "rejected.pem"]).output)


class RemoveTests(CommandCase):
    """``tlscomm store remove``."""

    def setUp(self) -> None:
        super().setUp()
        self.store().add(server())
        self.store().add(client())

    def test_one(self) -> None:
        """It removes the one that fits."""
        self.assertIn("Gateway", self.run_("remove", "subject=gateway", "--yes").stdout)
        self.assertEqual(self.titles(self.store()), [client().certificate.subject.rfc4514_string()])

    def test_several(self) -> None:
        """Of several it removes none, unless all are meant."""
        self.assertIn("ambiguous", self.run_("remove", "hasPrivateKey=yes", status=1).stderr)
        self.assertEqual(len(self.json("remove", "hasPrivateKey=yes", "--all", "--yes")["removed"]), 2)
        self.assertEqual(self.titles(self.store()), [])

    def test_noTerminal(self) -> None:
        """Where nobody can be asked, it removes nothing unless --yes says so, whatever standard input holds."""
        for options in (("subject=gateway",), ("hasPrivateKey=yes", "--all")):
            for answer in (None, "n\n", "y\n"):
                self.assertIn("--yes", self.run_("remove", *options, status=2, input=answer).stderr)
        self.assertEqual(len(self.titles(self.store())), 2)

    def test_emptyValue(self) -> None:
        """A value that is empty removes nothing, even if all are meant without being asked."""
        for words in (["subject="], ["--subject", ""], ["store:CurrentUser/My:subject="], ["subject=:validAt=now"]):
            result = self.run_("remove", *words, "--all", "--yes", status=2)
            self.assertIn("subject=: it is empty", result.stderr)
        self.assertEqual(len(self.titles(self.store())), 2)

    def test_everything(self) -> None:
        """Without a search it removes nothing, even if all are meant."""
        self.run_("remove", "--all", status=2)
        self.assertEqual(len(self.titles(self.store())), 2)

    def test_nothing(self) -> None:
        """What is not there cannot be removed."""
        for options in ((), ("--all",)):
            self.assertIn("not-in-store", self.run_("remove", "subject=nobody", *options, status=1).stderr)


class ExportTests(CommandCase):
    """``tlscomm store export``."""

    def setUp(self) -> None:
        super().setUp()
        self.store().add(server(), friendlyName="Größe")
        self.secret("phrase", PASSPHRASE + b"\n")

    def export(self, file: str, *options: str, status: int = 0) -> Any:
        return self.json("export", "subject=gateway", "--out", file, *options, status=status)

    def test_pem(self) -> None:
        """As PEM it is the certificate, its chain and its key, which only its owner can read."""
        self.export("out.pem")
        loaded = loadCredential("out.pem").requireKey()
        self.assertEqual((loaded.certificate, loaded.chain), (server().certificate, server().chain))
        self.assertEqual(mode(Path("out.pem")), 0o600)

    def test_standardOutput(self) -> None:
        """A credential is not written to standard output, nor to a file that is called so by mistake."""
        self.assertIn("--out", self.run_("export", "subject=gateway", "--out", "-", status=2).stderr)
        self.assertFalse(Path("-").exists())

    def test_pfx(self) -> None:
        """As PFX it has its name and a pass phrase, where one is given."""
        self.export("out.pfx", "--passphrase-file", "phrase")
        loaded = loadCredential("out.pfx", passphrase=PASSPHRASE).requireKey()
        self.assertEqual((loaded.friendlyName, loaded.chain), ("Größe", server().chain))
        self.assertIn("passphrase-required", self.run_("add", "out.pfx", status=1).stderr)

    def test_unprotected(self) -> None:
        """Without a pass phrase it is written all the same, and that is said."""
        result = self.run_("export", "subject=gateway", "--out", "out.pfx")
        self.assertIn("a reader of it has the private key", result.stderr)
        loadCredential("out.pfx").requireKey()

    def test_old(self) -> None:
        """The old form of PFX is what old readers know: triple DES and SHA-1."""
        self.export("out.pfx", "--form", "pfx-legacy", "--passphrase-file", "phrase")
        shown = subprocess.run(
            ("openssl", "pkcs12", "-in", "out.pfx", "-info", "-noout", "-passin", f"pass:{PASSPHRASE.decode()}"),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stderr
        self.assertIn("MAC: sha1", shown)
        self.assertEqual(shown.count("pbeWithSHA1And3-KeyTripleDES-CBC"), 2)

    def test_oldUnprotected(self) -> None:
        """Where the old form has no pass phrase, it says that it needs a new one, and writes nothing."""
        result = self.run_("export", "subject=gateway", "--out", "out.pfx", "--form", "pfx-legacy", status=2)
        self.assertIn("needs a new pass phrase", result.stderr)
        self.assertFalse(Path("out.pfx").exists())

    def test_certificates(self) -> None:
        """As P7B it is the chain, as CER the certificate alone; everybody can read them."""
        self.assertEqual(self.export("out.p7b")["form"], "p7b")
        held = pkcs7.load_der_pkcs7_certificates(Path("out.p7b").read_bytes())
        self.assertEqual(set(held), {server().certificate, intermediate().certificate})
        self.assertEqual(self.export("out.cer")["hasPrivateKey"], False)
        self.assertEqual(loadCertificates("out.cer"), (server().certificate,))

    def test_withoutKey(self) -> None:
        """The key stays where it is, if that is wanted."""
        self.export("out.pem", "--no-key")
        self.assertIsNone(loadCredential("out.pem").privateKey)

    def test_noKey(self) -> None:
        """A certificate alone is no PFX, and that is said."""
        self.store().add(authority().certificate)
        failure = self.json("export", "subject=root", "--out", "out.pfx", status=1)["failure"]
        self.assertEqual((failure["code"], Path("out.pfx").exists()), ("no-private-key", False))
        self.json("export", "subject=root", "--out", "out.pem")

    def test_notOverwritten(self) -> None:
        """A file that is there is overwritten only if that is wanted, and its key is the owner's alone then, too."""
        Path("out.pem").write_text("precious")
        result = self.run_("export", "subject=gateway", "--out", "out.pem", status=1)
        self.assertIn("out.pem: File exists; --force replaces it", result.stderr)
        self.assertEqual(Path("out.pem").read_text(), "precious")
        self.export("out.pem", "--force")
        loadCredential("out.pem").requireKey()

    def test_link(self) -> None:
        """A link is not followed to another place."""
        Path("out.pem").symlink_to("elsewhere.pem")
        self.run_("export", "subject=gateway", "--out", "out.pem", status=1)
        self.export("out.pem", "--force")
        self.assertFalse(Path("elsewhere.pem").exists())

    def test_notWritable(self) -> None:
        """A place that cannot be written is named without a traceback, and nothing is left there."""
        self.assertIn(
            "nowhere/out.pem", self.run_("export", "subject=gateway", "--out", "nowhere/out.pem", status=1).stderr
        )

    def test_notExportable(self) -> None:
        """A key that may not be exported is refused by name; its certificate is not."""
        self.run_("add", self.secret("client.pem", pemOf(client())), "--not-exportable")
        for form in ("pem", "pfx"):
            failure = self.json("export", "subject=a client", "-o", "out", "--form", form, status=1)["failure"]
            self.assertEqual((failure["code"], Path("out").exists()), ("not-exportable", False))
        self.json("export", "subject=a client", "-o", "out.cer")
        self.json("export", "subject=a client", "-o", "out.pem", "--no-key")

    def test_readBack(self) -> None:
        """What was exported as PFX is, for another reader, the certificate with its key and chain."""
        self.export("out.pfx", "--passphrase-file", "phrase")
        held = pkcs12.load_pkcs12(Path("out.pfx").read_bytes(), PASSPHRASE)
        assert held.cert is not None
        self.assertEqual(held.cert.certificate, server().certificate)
        self.assertEqual([each.certificate for each in held.additional_certs], [intermediate().certificate])


class ProgramTests(CommandCase):
    """The commands as a shell runs them."""

    def test_connectIdentity(self) -> None:
        """``tlscomm connect`` names what is wrong with a source in a store before it connects."""
        command = python("-m", "tlscomm.commandline", "connect", "localhost:1", "--json")
        done = subprocess.run(
            (*command, "--identity", "store:CurrentUser/My:subject=nobody"),
            capture_output=True,
            timeout=120,
            check=False,
        )
        self.assertEqual((done.returncode, json.loads(done.stdout)["failure"]["code"]), (1, "not-in-store"))
