"""What a user can rely on wherever a credential and its pass phrase come from."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from credentialfiles import PASSPHRASE, made
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import loadCertificates, loadCredential, loadCredentials, retrying
from tlscomm.credentials._passphrasesources import passphraseSource


def combined() -> bytes:
    return made()["c.pem"] + made()["k.pem"]


class ContentForANameTests(SynchronousTestCase):
    def test_neverShown(self) -> None:
        """Who gives the content of a file for its name is told so, and the content is not shown."""
        text = combined().decode()
        Path("c.pem").write_bytes(made()["c.pem"])
        for load in (
            lambda: loadCredential(text),
            lambda: loadCredential("c.pem", key=text),
            lambda: loadCertificates(text),
            lambda: passphraseSource(text)("c.pem"),  # type: ignore[misc]
        ):
            failure = self.assertRaises(failures.FileNotFound, load)
            self.assertNotIn("BEGIN", f"{failure!s} {failure!r} {failure.nextStep} {failure.toJSON()}")


class FileObjectTests(SynchronousTestCase):
    def test_memory(self) -> None:
        """A file object in memory is read to its end, from where it stands, and stays open."""
        stream = io.BytesIO(b"passed over" + combined())
        stream.seek(11)
        credential = loadCredential(stream).requireKey()
        self.assertEqual((credential.source, stream.closed), ("the file that was given", False))
        self.assertRaises(failures.UnknownFormat, loadCredential, stream)

    def test_open(self) -> None:
        """An open file is called by its name."""
        Path("my.pem").write_bytes(combined())
        Path("my.pem").chmod(0o600)
        with open("my.pem", "rb") as stream:
            self.assertEqual(loadCredential(stream).source, "my.pem")
        with open("my.pem", "rb", buffering=0) as stream:
            loadCertificates(stream)

    def test_readableByOthers(self) -> None:
        """An open file with a private key that others can read is refused as one that is named."""
        Path("my.pem").write_bytes(combined())
        Path("my.pem").chmod(0o644)
        with open("my.pem", "rb") as stream:
            failure = self.assertRaises(failures.UnsafePermissions, loadCredential, stream)
            self.assertIn("chmod 600", failure.detail)
            stream.seek(0)
            loadCredential(stream, insecureAllowReadableKey=True).requireKey()

    def test_apart(self) -> None:
        """Certificate and key may come from file objects of their own."""
        loadCredential(io.BytesIO(made()["c.pem"]), key=io.BytesIO(made()["k.pem"])).requireKey()

    def test_pipe(self) -> None:
        """A pipe gives a credential in pieces, and is read to its end."""
        reading, writing = os.pipe()
        os.write(writing, combined())
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as stream:
            loadCredential(Pieces(lambda count: stream.read(min(count, 100)) or b"")).requireKey()

    def test_refused(self) -> None:
        """A file object that gives text, is closed, or is none, is refused."""
        closed = io.BytesIO(combined())
        closed.close()
        self.assertRaises(failures.Unreadable, loadCredential, closed)
        self.assertRaises(TypeError, loadCredential, io.StringIO("text"))
        self.assertRaises(TypeError, loadCredential, 7)
        self.assertRaises(failures.Unreadable, loadCredential, Pieces(lambda count: b"x" * 100_000))
        self.assertRaises(failures.Unreadable, loadCredential, Pieces(broken))


class StandardInputTests(SynchronousTestCase):
    def given(self, content: bytes) -> None:
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    def test_read(self) -> None:
        """A dash is standard input."""
        self.given(combined())
        self.assertEqual(loadCredential("-").requireKey().source, "standard input")
        self.given(made()["c.pem"])
        self.assertEqual(loadCertificates(Path("-"))[0], loadCertificates(made()["c.pem"])[0])

    def test_twice(self) -> None:
        """Certificate and key may both be said to come from there."""
        self.given(combined())
        loadCredential("-", key="-").requireKey()

    def test_key(self) -> None:
        """The key alone may come from there."""
        self.given(made()["pkcs8.pem"])
        loadCredential(made()["c.pem"], key="-", passphrase=PASSPHRASE).requireKey()

    def test_empty(self) -> None:
        """Nothing on standard input is named."""
        self.given(b"")
        self.assertIn("standard input is empty", self.assertRaises(failures.UnknownFormat, loadCredential, "-").detail)

    def test_file(self) -> None:
        """A file that is called so is named with its folder."""
        Path("-").write_bytes(made()["c.pem"])
        self.assertEqual(loadCredential("./-").source, "./-")


class RetryingTests(SynchronousTestCase):
    def asking(self, *answers: bytes | None) -> Callable[[str], bytes | None]:
        self.asked: list[str] = []
        left = list(answers)

        def prompt(name: str) -> bytes | None:
            self.asked.append(name)
            return left.pop(0)

        return prompt

    def load(self, passphrase: Callable[[str], bytes | None], name: str = "modern.pfx") -> None:
        Path("my.pfx").write_bytes(made()[name])
        loadCredential("my.pfx", passphrase=passphrase, checkPermissions=False)

    def test_again(self) -> None:
        """After a wrong pass phrase a person is asked again, and told why."""
        self.load(retrying(self.asking(b"wrong", b"wrong", PASSPHRASE)))
        self.assertEqual(self.asked, ["my.pfx", *["my.pfx (the last one was wrong)"] * 2])

    def test_three(self) -> None:
        """After three wrong ones it is wrong."""
        self.assertRaises(failures.PassphraseWrong, self.load, retrying(self.asking(*[b"wrong"] * 4)))
        self.assertEqual(len(self.asked), 3)
        self.assertRaises(failures.PassphraseWrong, self.load, retrying(self.asking(b"wrong", b"wrong"), tries=1))
        self.assertEqual(len(self.asked), 1)

    def test_givenUp(self) -> None:
        """Who does not answer is not asked again."""
        self.assertRaises(failures.PassphraseRequired, self.load, retrying(self.asking(None, None)))
        self.assertRaises(failures.PassphraseWrong, self.load, retrying(self.asking(b"wrong", None)))

    def test_notAsked(self) -> None:
        """Nobody is asked for what opens without."""
        self.load(retrying(self.fail), "empty.pfx")

    def test_remembered(self) -> None:
        """A file with two locks is asked for once where one pass phrase opens both."""
        content = made()["c.pem"] + made()["pkcs8.pem"] + made()["pkcs8-scrypt.pem"]
        loadCredentials(content, passphrase=retrying(self.asking(b"wrong", PASSPHRASE)))
        self.assertEqual(len(self.asked), 2)

    def test_keyElsewhere(self) -> None:
        """Each file has its own tries."""
        Path("my.key").write_bytes(made()["pkcs8.pem"])
        prompt = retrying(self.asking(b"wrong", PASSPHRASE, b"wrong", b"wrong", PASSPHRASE))
        loadCredential(made()["modern.pfx"], key="my.key", passphrase=prompt, checkPermissions=False)
        self.assertEqual([self.asked[0], self.asked[2]], ["the given content", "my.key"])


class PassphraseSourceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(os, "environ", {**os.environ})
        os.environ.pop("CREDENTIALS_DIRECTORY", None)

    def read(self, **place: object) -> bytes | None:
        source = passphraseSource(**place)  # type: ignore[arg-type]
        assert source is not None
        return source("what it is for")

    def test_file(self) -> None:
        """A file gives its first line, without its line end, with the mark of an encoding or without."""
        for content in (
            "Größe\n".encode(),
            "Größe".encode(),
            "Größe\r\nmore\n".encode(),
            "Größe\r\n".encode("utf-8-sig"),
            "Größe\r\n".encode("utf-16"),
        ):
            Path("secret").write_bytes(content)
            self.assertEqual(self.read(file="secret"), "Größe".encode())
        Path("secret").write_bytes(b"")
        self.assertEqual(self.read(file="secret"), b"")
        Path("secret").write_bytes(b" two spaces \n")
        self.assertEqual(self.read(file="secret"), b" two spaces ")

    def test_fileProblems(self) -> None:
        """A file that is missing, unreadable or no pass phrase is named, and its content is not shown."""
        Path("folder").mkdir()
        Path("long").write_bytes(b"secret" * 1000)
        for file, failure in (
            ("nowhere", failures.FileNotFound),
            ("nul\0", failures.FileNotFound),
            ("folder", failures.Unreadable),
            ("long", failures.Unreadable),
        ):
            raised = self.assertRaises(failure, self.read, file=file)
            self.assertNotIn("secretsecret", str(raised))
            self.assertTrue(str(raised).isprintable())

    def test_environment(self) -> None:
        """An environment variable gives its value, and has to be set."""
        os.environ["SECRET"] = "Größe"
        self.assertEqual(self.read(variable="SECRET"), "Größe".encode())
        self.assertRaises(failures.PassphraseRequired, self.read, variable="NOT_SET")

    def test_descriptor(self) -> None:
        """A file descriptor gives its first line, in however many pieces, and as often as it is asked."""
        for content in (b"pass phrase", b"pass phrase\nmore\n", b"pass phrase\r\n"):
            source = passphraseSource(descriptor=self.pipe(content))
            assert source is not None
            self.assertEqual([source("a"), source("b")], [b"pass phrase"] * 2)
        self.assertRaises(failures.Unreadable, self.read, descriptor=self.pipe(b"x" * 5000))
        self.assertRaises(failures.Unreadable, self.read, descriptor=10**6)

    def pipe(self, content: bytes) -> int:
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, content)
        os.close(writing)
        return reading

    def test_systemd(self) -> None:
        """A credential of systemd's is a file in the folder that it names."""
        self.credentials("key-passphrase")
        self.assertEqual(self.read(systemd="key-passphrase"), b"from systemd")
        self.assertRaises(failures.FileNotFound, self.read, systemd="another")
        for name in ("", "..", "../key-passphrase", "/etc/passwd"):
            self.assertRaises(ValueError, passphraseSource, systemd=name)
        del os.environ["CREDENTIALS_DIRECTORY"]
        self.assertRaises(failures.PassphraseRequired, self.read, systemd="key-passphrase")

    def test_systemdByItself(self) -> None:
        """What systemd hands over under our name needs no option, goes before a prompt, and gives way to an option."""
        self.credentials("tlscomm.passphrase")
        self.assertEqual(self.read(), b"from systemd")
        self.assertEqual(self.read(prompt=self.fail), b"from systemd")
        os.environ["SECRET"] = "option"
        self.assertEqual(self.read(variable="SECRET"), b"option")

    def credentials(self, name: str) -> None:
        Path("credentials").mkdir()
        Path("credentials", name).write_bytes(b"from systemd\n")
        os.environ["CREDENTIALS_DIRECTORY"] = os.path.abspath("credentials")

    def test_prompt(self) -> None:
        """Where no place is named a person is asked, three times at most."""
        answers = [b"wrong", b"wrong", PASSPHRASE]
        loadCredential(made()["modern.pfx"], passphrase=passphraseSource(prompt=lambda name: answers.pop(0)))
        self.assertIsNone(passphraseSource())

    def test_one(self) -> None:
        """Two places are one too many."""
        self.assertRaises(ValueError, passphraseSource, "file", "VARIABLE")
        self.assertRaises(ValueError, passphraseSource, "file", descriptor=3)

    def test_notShown(self) -> None:
        """What a place has given is in no representation of it."""
        source = passphraseSource(descriptor=self.pipe(b"pass phrase"))
        assert source is not None
        source("a")
        self.assertNotIn("pass phrase", repr(source) + repr(vars(source)))


class Pieces:
    """A file object of somebody's own."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def read(self, count: int) -> bytes:
        return self._read(count)


def broken(count: int) -> bytes:
    raise OSError(5, "Input/output error")
