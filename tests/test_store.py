"""What a user can rely on in certificate stores."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from dotnetfiles import DOTNET_FILES
from forkserver import python
from storefiles import NOW, StoreCase, authority, client, intermediate, mode, name, pemOf, server, thumbprint
from twisted.logger import LogLevel, globalLogPublisher

from tlscomm.credentials import Credential, checkUsable, exportCredential, writeCredential
from tlscomm.failures import (
    Damaged,
    FileNotFound,
    KeyMismatch,
    NotExportable,
    NotInStore,
    StoreReadOnly,
    UnknownFormat,
    Unreadable,
    UnsafePermissions,
)
from tlscomm.issuing import Authority
from tlscomm.store import Search, X509Store, loadFromStore, rootsFromStore


class NameTests(StoreCase):
    """Which stores there are."""

    def test_folder(self) -> None:
        """A store is a folder with its name in lower case, where the environment variable says."""
        self.assertEqual(self.store("TrustedPeople").path, self.folder / "trustedpeople")

    def test_usualFolder(self) -> None:
        """Without the variable it is where .NET on Linux has it."""
        with mock.patch.dict(os.environ, {"HOME": str(Path("home").absolute())}):
            del os.environ["TLSCOMM_STORE"]
            self.assertEqual(self.store().path, Path("home/.dotnet/corefx/cryptography/x509stores/my").absolute())

    def test_parameter(self) -> None:
        """A parameter goes before the variable."""
        self.assertEqual(X509Store("Root", folder="elsewhere").path, Path("elsewhere/root").absolute())

    def test_locations(self) -> None:
        """The machine's stores are apart from the user's, by default in a folder of the system."""
        self.store("My", "LocalMachine").add(client())
        self.assertEqual(self.titles(self.store()), [])
        del os.environ["TLSCOMM_MACHINE_STORE"]
        self.assertEqual(self.store("My", "LocalMachine", writable=False).path, Path("/etc/tlscomm/x509stores/my"))

    def test_disallowed(self) -> None:
        """What is disallowed is not where .NET looks, which builds no chain at all as soon as something is there."""
        self.store("Disallowed").add(client().certificate)
        self.assertFalse((self.folder / "disallowed").exists())
        self.assertEqual(len(self.titles(self.store("disallowed"))), 1)

    def test_spelling(self) -> None:
        """Capitals do not matter, and a store is called as it is spelled usually."""
        self.assertEqual(X509Store.named("localmachine/trustedpeople").title, "LocalMachine/TrustedPeople")

    def test_ownName(self) -> None:
        """Any other name is a store, too."""
        self.store("Our devices-2.1").add(client())
        self.assertTrue((self.folder / "our devices-2.1").is_dir())

    def test_tricks(self) -> None:
        """No name leads out of the folder, hides, is a device, or differs in another program's lower case."""
        names = ("", ".", "..", "../my", "a/b", "a\\b", "/etc", ".hidden", "a.", "a ", "my\0", "a\n", "nul", "COM1.x")
        for text in (*names, "a" * 101, "İ", "disallowed@tlscomm", "a:b"):
            with self.assertRaises(ValueError, msg=text):
                X509Store(text)

    def test_wrongPlace(self) -> None:
        """A place that is none is refused with the words that there are."""
        for text in ("My", "Everybody/My", "CurrentUser/"):
            with self.assertRaises(ValueError, msg=text):
                X509Store.named(text)

    def test_noHome(self) -> None:
        """A user without a home folder is told which variable names another."""
        del os.environ["TLSCOMM_STORE"]
        with mock.patch.object(Path, "home", side_effect=RuntimeError):
            self.assertIn("TLSCOMM_STORE", self.refused(FileNotFound, X509Store).message)


class ChangeTests(StoreCase):
    """Adding and removing."""

    def test_added(self) -> None:
        """What was added is there, with its key, chain and name."""
        with self.store() as store:
            added = store.add(server(), friendlyName="Größe 证书")
        (entry,) = self.store(writable=False).contents().entries
        self.assertEqual(entry.credential.requireKey().certificate, server().certificate)
        self.assertEqual(entry.credential.chain, (intermediate().certificate,))
        self.assertEqual((entry.friendlyName, entry.isExportable), ("Größe 证书", True))
        self.assertEqual((added.source, added.path), (entry.source, entry.path))

    def test_files(self) -> None:
        """Each is a file that only its owner can read, named after its thumbprint, in folders of the same kind."""
        self.store().add(server())
        path = self.folder / "my" / f"{thumbprint(server().certificate)}.pfx"
        self.assertEqual([mode(path), mode(path.parent), mode(self.folder)], [0o600, 0o700, 0o700])

    def test_machinesFiles(self) -> None:
        """In the machine's stores everybody can read certificates, and nobody another's key."""
        store = self.store("CA", "LocalMachine")
        self.assertEqual(mode(store.add(intermediate().certificate).path or Path()), 0o644)
        self.assertEqual(mode(store.add(server()).path or Path()), 0o600)
        self.assertEqual(mode(store.path), 0o755)

    def test_certificateAlone(self) -> None:
        """A certificate without a key is kept without its chain: .NET takes the last certificate of such a file."""
        store = self.store()
        entry = store.add(Credential(server().certificate, server().chain))
        assert entry.path is not None
        found = pkcs12.load_pkcs12(entry.path.read_bytes(), None)
        self.assertIsNone(found.key)
        self.assertEqual([each.certificate for each in found.additional_certs], [server().certificate])

    def test_keyStays(self) -> None:
        """Adding a certificate whose key is there does not take the key away."""
        store = self.store()
        store.add(server(), friendlyName="with key")
        entry = store.add(server().certificate)
        self.assertEqual((entry.hasPrivateKey, entry.friendlyName), (True, "with key"))

    def test_keyComes(self) -> None:
        """Adding the key of a certificate that is there puts it into the same file."""
        store = self.store()
        before = store.add(server().certificate)
        self.assertEqual(store.add(server()).path, before.path)
        self.assertTrue(store.contents().entries[0].hasPrivateKey)

    def test_addedAgain(self) -> None:
        """Adding twice is adding once, with what was said last."""
        store = self.store()
        store.add(server(), friendlyName="old")
        store.add(server(), friendlyName="new")
        self.assertEqual([entry.friendlyName for entry in store.contents().entries], ["new"])

    def test_nameTaken(self) -> None:
        """Where something else has its name, a certificate is kept under the next one, and the other file stays."""
        store = self.store()
        store.add(client())
        taken = store.path / f"{thumbprint(server().certificate)}.pfx"
        taken.write_bytes(b"something else")
        self.assertEqual(store.add(server()).path, taken.with_suffix(".1.pfx"))
        self.assertEqual(taken.read_bytes(), b"something else")

    def test_allNamesTaken(self) -> None:
        """Where all ten names are taken, nothing is overwritten."""
        store = self.store()
        store.add(client())
        digits = thumbprint(server().certificate)
        for suffix in ("", *(f".{number}" for number in range(1, 10))):
            (store.path / f"{digits}{suffix}.pfx").write_bytes(b"something else")
        self.assertRaises(FileExistsError, store.add, server())
        self.assertEqual(len(list(store.path.iterdir())), 11)

    def test_otherKey(self) -> None:
        """A key that is another certificate's is not added."""
        wrong = Credential(server().certificate, (), client().privateKey)
        self.refused(KeyMismatch, self.store().add, wrong)
        self.assertEqual(self.titles(self.store()), [])

    def test_everyKind(self) -> None:
        """Keys of every kind that TLS has are kept."""
        from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

        keys: list[Any] = [ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()]
        keys += [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
        for key in keys:
            credential = authority().issue(type(key).__name__, role="client", privateKey=key)
            self.store().add(credential).credential.requireKey()

    def test_removed(self) -> None:
        """What was removed is gone, with its mark and every file that holds it; the others stay."""
        store = self.store()
        entry = store.add(server(), exportable=False)
        store.add(client())
        assert entry.path is not None
        (store.path / "copy.pfx").write_bytes(entry.path.read_bytes())
        store.remove(entry)
        self.assertEqual([path.name for path in store.path.iterdir()], [f"{thumbprint(client().certificate)}.pfx"])

    def test_removedTwice(self) -> None:
        """What is not there cannot be removed."""
        self.refused(NotInStore, self.store().remove, server().certificate)

    def test_readOnly(self) -> None:
        """A store that was opened for reading cannot be changed, and is not made by looking into it."""
        store = self.store(writable=False)
        self.assertEqual(store.contents().entries, ())
        self.refused(StoreReadOnly, store.add, server())
        self.refused(StoreReadOnly, store.remove, server().certificate)
        self.assertFalse(self.folder.exists())

    def test_shownWithoutSecret(self) -> None:
        """No key is in the text of an entry, nor in what programs get."""
        entry = self.store().add(server())
        self.assertNotIn("EllipticCurvePrivateKey", repr(entry))
        self.assertTrue(entry.toJSON()["hasPrivateKey"])


class DotNetTests(StoreCase):
    """One store for .NET programs and for this."""

    def setUp(self) -> None:
        super().setUp()
        # As .NET makes them: readable by everybody, but for the files.
        (self.folder / "my").mkdir(parents=True)
        for file, content in DOTNET_FILES.items():
            path = self.folder / "my" / file
            path.touch(0o600)
            path.write_bytes(content)

    def test_read(self) -> None:
        """What a .NET program added is there, with its key."""
        contents = self.store(writable=False).contents()
        self.assertEqual(
            {name(entry): entry.hasPrivateKey for entry in contents.entries},
            {"CN=written by .NET": True, "CN=an authority": False},
        )
        self.assertEqual(contents.problems, ())
        contents.entries[0].credential.requireKey()

    def test_sameNames(self) -> None:
        """Files have the same names as those that .NET gives."""
        store = self.store()
        for entry in store.contents().entries:
            self.assertEqual(entry.path, store.path / f"{entry.thumbprint}.pfx")

    def test_rewritten(self) -> None:
        """Adding what a .NET program added leaves one file of it."""
        store = self.store()
        for entry in store.contents().entries:
            store.add(entry.credential)
        self.assertEqual({path.name for path in store.path.iterdir()}, set(DOTNET_FILES))

    def test_otherForms(self) -> None:
        """A file is read in whatever form it is, as .NET reads it, and a certificate is listed once."""
        folder = self.folder / "my"
        (folder / "der.pfx").write_bytes(client().certificate.public_bytes(Encoding.DER))
        (folder / "pem.pfx").write_bytes(client().certificate.public_bytes(Encoding.PEM))
        found = self.store().contents()
        self.assertEqual(
            [name(entry) for entry in found.entries].count(client().certificate.subject.rfc4514_string()), 1
        )
        self.assertEqual(found.problems, ())

    def test_keyFirst(self) -> None:
        """Of a certificate that is in one file alone and in another with its key, the latter is listed."""
        (self.folder / "my" / "0.pfx").write_bytes(
            self.store().search(Search(subject="written"))[0].certificate.public_bytes(Encoding.DER)
        )
        (entry,) = self.store().search(Search(subject="written"))
        self.assertTrue(entry.hasPrivateKey)

    def test_nothingForDotNet(self) -> None:
        """Whatever is ours alone does not end in .pfx, which is all that .NET looks at."""
        store = self.store()
        store.add(server(), exportable=False)
        ours = {path.name for path in store.path.iterdir()} - set(DOTNET_FILES)
        digits = thumbprint(server().certificate)
        self.assertEqual(ours, {f"{digits}.pfx", f"{digits}.not-exportable"})


class PermissionTests(StoreCase):
    """Who may touch a store."""

    def test_folderOfOthers(self) -> None:
        """A folder that others can change is refused, with the command that mends it."""
        self.store().add(client())
        for folder in (self.folder, self.folder / "my"):
            folder.chmod(0o770)
            failure = self.refused(UnsafePermissions, X509Store)
            self.assertIn(f"chmod 700 {folder}", failure.message)
            self.assertIn(f"chmod 700 {folder}", failure.nextStep)
            folder.chmod(0o700)

    def test_folderOfStranger(self) -> None:
        """A folder that belongs to somebody else, who is not the administrator, is refused."""
        self.store().add(client())
        if os.geteuid() == 0:
            os.chown(self.folder, 4242, -1)
        with mock.patch("os.geteuid", return_value=4243):
            self.assertIn("belongs to another user", self.refused(UnsafePermissions, X509Store).message)

    def test_readableKey(self) -> None:
        """A key that others can read is listed as such, with the command that mends it, and is not used."""
        entry = self.store().add(server())
        assert entry.path is not None
        entry.path.chmod(0o640)
        contents = self.store().contents()
        self.assertIn(f"chmod 600 {entry.path}", contents.problems[0].message)
        self.assertEqual([each.failure for each in contents.entries], [UnsafePermissions()])
        self.refused(UnsafePermissions, loadFromStore, entry.source)

    def test_changeableRoot(self) -> None:
        """A root that others can replace is not used, and one that they can read is."""
        path = self.store("Root").add(authority().certificate).path
        assert path is not None
        path.chmod(0o644)
        self.assertEqual(rootsFromStore("store:CurrentUser/Root"), (authority().certificate,))
        path.chmod(0o666)
        self.refused(UnsafePermissions, rootsFromStore, "store:CurrentUser/Root")

    def test_notAllowed(self) -> None:
        """Where this user may not write, the store is read-only."""
        store = X509Store(folder="/sys/tlscomm", writable=True)
        self.refused(StoreReadOnly, store.add, client())

    def test_noFolder(self) -> None:
        """A file in the place of the folder is named."""
        self.folder.write_bytes(b"")
        self.refused(Unreadable, X509Store)


class DamageTests(StoreCase):
    """Files that are not as they should be."""

    def test_damaged(self) -> None:
        """A damaged file is named, each with what is wrong, and the others are there."""
        store = self.store()
        entry = store.add(server())
        assert entry.path is not None
        (store.path / "cut.pfx").write_bytes(entry.path.read_bytes()[:-100])
        (store.path / "picture.pfx").write_bytes(b"\x89PNG\r\n")
        (store.path / "empty.pfx").write_bytes(b"")
        contents = store.contents()
        self.assertEqual([name(each) for each in contents.entries], [name(entry)])
        self.assertEqual({type(problem) for problem in contents.problems}, {Damaged, UnknownFormat})
        for file in ("cut.pfx", "picture.pfx", "empty.pfx"):
            self.assertEqual(sum(str(store.path / file) in problem.message for problem in contents.problems), 1, file)

    def test_otherFiles(self) -> None:
        """Folders, pipes and files of other names are passed over."""
        store = self.store()
        store.add(server())
        (store.path / "folder.pfx").mkdir()
        os.mkfifo(store.path / "pipe.pfx")
        (store.path / "README").write_text("hello")
        self.assertEqual((len(store.contents().entries), store.contents().problems), (1, ()))

    def test_notFoundBecauseDamaged(self) -> None:
        """Who finds nothing is told that files could not be read, and how they failed."""
        store = self.store()
        store.add(server())
        (store.path / "cut.pfx").write_bytes(b"\x30\x82\x01")
        failure = self.refused(NotInStore, store.find, Search(subject="other"))
        self.assertIn("1 files in it have problems", failure.message)
        self.assertEqual(len(failure.evidence), 1)

    def test_logged(self) -> None:
        """Who finds something in a store with a damaged file has that in the log."""
        store = self.store()
        store.add(server())
        (store.path / "cut.pfx").write_bytes(b"")
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        loadFromStore("store:CurrentUser/My")
        warned = [event for event in events if event.get("log_level") is LogLevel.warn]
        self.assertIn("cut.pfx", warned[0]["problem"])


WRITER = """
import sys
from tlscomm.issuing import Authority
from tlscomm.failures import NotInStore
from tlscomm.credentials import loadCredential
from tlscomm.store import X509Store

authority, shared = Authority.create(sys.argv[1]), loadCredential("shared.pem")
with X509Store(writable=True) as store:
    for number in range(int(sys.argv[2])):
        store.add(authority.issue(f"{sys.argv[1]} {number}", role="client"), exportable=number % 2 == 0)
        store.add(shared)
        passing = store.add(authority.issue("passing", role="client"), exportable=False)
        store.remove(passing)
        try:
            store.remove(shared.certificate)
        except NotInStore:
            # The other process was first.
            pass
        print(number, flush=True)
"""


class ConcurrencyTests(StoreCase):
    """Several processes at once, and processes that end in the middle."""

    def write(self, title: str, count: int) -> subprocess.Popen[str]:
        if not Path("shared.pem").exists():
            private = pemOf(client())
            Path("shared.pem").touch(0o600)
            Path("shared.pem").write_bytes(private)
        process = subprocess.Popen(python("-c", WRITER, title, str(count)), stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process

    def test_twoWriters(self) -> None:
        """Two processes that add and remove at once lose nothing, and a third sees whole files only."""
        writers = [self.write("one", 6), self.write("two", 6)]
        while any(writer.poll() is None for writer in writers):
            self.assertEqual(self.store().contents().problems, ())
        self.assertEqual([writer.returncode for writer in writers], [0, 0])
        expected = {f"CN={title} {number}" for title in ("one", "two") for number in range(6)}
        contents = self.store().contents()
        self.assertEqual({name(entry) for entry in contents.entries}, expected)
        self.assertEqual(
            {name(entry) for entry in contents.entries if entry.isExportable},
            {f"CN={title} {number}" for title in ("one", "two") for number in range(0, 6, 2)},
        )
        self.assertEqual([path.name for path in self.store().path.iterdir() if path.name.startswith(".")], [])

    def test_killed(self) -> None:
        """A process that is killed while it writes loses nothing that was there, and hinders nobody."""
        entry = self.store().add(server(), exportable=False)
        for attempt in range(4):
            writer = self.write(f"attempt {attempt}", 1000)
            assert writer.stdout is not None
            for _ in range(attempt + 1):
                writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            writer.wait(60)
            contents = self.store().contents()
            self.assertEqual(contents.problems, ())
            self.assertIn(entry.thumbprint, [each.thumbprint for each in contents.entries if not each.isExportable])
        self.store().add(client())

    def test_leftOver(self) -> None:
        """What a process left that ended while it wrote is no certificate, and is removed by the next that writes."""
        store = self.store()
        entry = store.add(server())
        assert entry.path is not None
        content = entry.path.read_bytes()
        for left in (f".{entry.path.name}.0123456789abcdef", f"{entry.thumbprint}.staged"):
            (store.path / left).write_bytes(content)
        self.assertEqual(len(store.contents().entries), 1)
        store.add(client())
        self.assertEqual(len(list(store.path.iterdir())), 2)

    def test_appearing(self) -> None:
        """A file that another program makes meanwhile, without our lock, is not overwritten."""
        store = self.store()
        store.add(client())
        folder = store._folder
        first = folder.put("A" * 40, b"first", isSecret=True)
        self.assertEqual(folder.put("A" * 40, b"second", isSecret=True).name, f"{'A' * 40}.1.pfx")
        self.assertEqual(first.read_bytes(), b"first")


class ExportableTests(StoreCase):
    """Entries whose key may not be exported."""

    def test_refused(self) -> None:
        """A key that was marked is not exported, and the refusal names it; its certificate is there for everybody."""
        self.store().add(server(), exportable=False)
        (entry,) = self.store(writable=False).contents().entries
        self.assertFalse(entry.isExportable)
        self.assertIn(entry.thumbprint, self.refused(NotExportable, entry.requireExportable).message)

    def test_used(self) -> None:
        """A key that was marked can be used."""
        checkUsable(loadFromStore(self.store().add(server(), exportable=False).source), "server", NOW)

    def test_stays(self) -> None:
        """The mark stays when the certificate is added again without its key."""
        self.store().add(server(), exportable=False)
        self.assertFalse(self.store().add(server().certificate).isExportable)

    def test_taken(self) -> None:
        """Who has the key elsewhere takes the mark away by adding it again, and who has not cannot."""
        self.store().add(server(), exportable=False)
        self.assertFalse(self.store().add(server().certificate, exportable=True).isExportable)
        self.assertTrue(self.store().add(server(), exportable=True).isExportable)
        self.assertTrue(self.store(writable=False).contents().entries[0].isExportable)

    def test_addedAgain(self) -> None:
        """Mark and name stay when the same is added again without a word of them."""
        self.store().add(server(), exportable=False, friendlyName="Front door")
        for again in (server(), server().certificate):
            added = self.store().add(again)
            (kept,) = self.store(writable=False).contents().entries
            for entry in (added, kept):
                self.assertEqual((entry.isExportable, entry.friendlyName), (False, "Front door"))

    def test_certificateMarks(self) -> None:
        """The mark and the name of a key that is there can be given with its certificate alone."""
        self.store().add(server())
        entry = self.store().add(server().certificate, exportable=False, friendlyName="Front door")
        self.assertEqual((entry.hasPrivateKey, entry.isExportable, entry.friendlyName), (True, False, "Front door"))
        self.assertEqual(entry.credential.chain, server().chain)

    def test_loaded(self) -> None:
        """What was loaded has the mark, is not exported with its key, and keeps the mark in another store."""
        loaded = loadFromStore(self.store().add(server(), exportable=False).source)
        for form in ("pem", "pfx"):
            self.refused(NotExportable, exportCredential, loaded, form, passphrase=b"a new pass phrase")
            self.refused(NotExportable, writeCredential, loaded, "out", form, passphrase=b"a new pass phrase")
        self.assertFalse(Path("out").exists())
        exportCredential(loaded, "pem", withoutKey=True)
        exportCredential(loaded, "cer")
        self.assertFalse(self.store("Other").add(loaded).isExportable)

    def test_others(self) -> None:
        """The mark is of one certificate alone, and of no use where there is no key."""
        self.store().add(server(), exportable=False)
        self.store().add(client()).requireExportable()
        self.store().add(authority().certificate, exportable=False).requireExportable()


class SystemTests(StoreCase):
    """``LocalMachine/Root``."""

    def setUp(self) -> None:
        super().setUp()
        Path("bundle.pem").write_bytes(authority().certificate.public_bytes(Encoding.PEM))
        patched = mock.patch.dict(os.environ, {"SSL_CERT_FILE": str(Path("bundle.pem").absolute())})
        patched.start()
        self.addCleanup(patched.stop)

    def put(self, certificate: x509.Certificate) -> None:
        folder = self.machine / "root"
        folder.mkdir(parents=True, mode=0o755)
        (folder / f"{thumbprint(certificate)}.pfx").write_bytes(certificate.public_bytes(Encoding.DER))

    def test_read(self) -> None:
        """The operating system's trust roots are in it, besides what is in its folder."""
        other = Authority.create("added").certificate
        self.put(other)
        self.assertEqual(set(rootsFromStore("store:LocalMachine/Root")), {other, authority().certificate})

    def test_readOnly(self) -> None:
        """It cannot be changed here, and what to do instead is said; no folder is made."""
        store = self.store("Root", "LocalMachine")
        for change in (store.add, store.remove):
            refused = self.refused(StoreReadOnly, change, authority().certificate)
            self.assertIn("operating system", refused.message)
            self.assertIn("update-ca-certificates", refused.remedy)
        self.assertFalse(self.machine.exists())

    def test_onlyThere(self) -> None:
        """They are in no other store."""
        for text in ("CurrentUser/Root", "LocalMachine/CA", "LocalMachine/My"):
            self.assertEqual(X509Store.named(text).contents().entries, (), text)

    def test_broken(self) -> None:
        """Where they are damaged, that is reported, and what is in its folder is there."""
        self.put(authority().certificate)
        Path("bundle.pem").write_text("-----BEGIN CERTIFICATE-----\n")
        contents = self.store("Root", "LocalMachine").contents()
        self.assertEqual((len(contents.entries), contents.problems), (1, (Damaged(),)))
