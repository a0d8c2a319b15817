"""Other names, addresses and numbers in the place of true ones, of the same length, the same for the same.

A pseudonym is made of a hash of what it stands for and of a secret. Without the secret it cannot be found out by trying
names. It has the length of what it stands for, because it takes its place inside of records and packets.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from hashlib import shake_256

from tlscomm._capture.packets import Address

__all__ = ["Pseudonyms"]

#: What is hashed of a name, in characters of it, where there is room.
_TOLD = 5

#: RFC 5737 and RFC 2544: addresses that no machine has. Of the first, those that end with 0 are left out.
_DOCUMENTED = tuple(
    bytes((*network, last)) for network in ((192, 0, 2), (198, 51, 100), (203, 0, 113)) for last in range(1, 255)
)
_MOST_ADDRESSES = 1 << 17

_HOST = re.compile(r"\.?(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", re.IGNORECASE)
_URL = re.compile(r"([a-z][a-z0-9+.-]{1,9}://)([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_SCHEMES = {"http://", "https://", "ldap://", "ldaps://", "ftp://"}
_NUMBERS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class Pseudonyms:
    """Makes pseudonyms.

    Attributes:
        given: what each name and number stands for that was made since it was emptied last. True names are in it.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        """
        Args:
            secret: with the same one, the same values have the same pseudonyms in other runs too, but for IPv4
                addresses of which two fall on one. It is as secret as the names. A new one where None.
        """
        self.given: dict[str, str] = {}
        self._secret = secrets.token_bytes(32) if secret is None else secret
        self._places: dict[bytes, bytes] = {}
        self._taken: set[bytes] = set()

    def octets(self, value: bytes, kind: str) -> bytes:
        """Return bytes for bytes: of keys, random values, tickets, signatures. All that have none stay so."""
        return self._hash(value, kind, len(value))

    def serial(self, value: bytes) -> bytes:
        """Return a serial number for the contents of an INTEGER: one that is positive and as long."""
        made = bytearray(self.octets(value, "serial"))
        if made:
            made[0] = made[0] & 0x3F | 0x40
            self.given[value.hex().lstrip("0") or "0"] = made.hex()
        return bytes(made)

    def name(self, text: str) -> str:
        """Return a name for what a name is: of a host, a person, an organisation; or an address of e-mail, or a URL."""
        if not text:
            return text
        made = self._name(text)
        self.given[text] = made
        return made

    def host(self, text: str) -> str:
        """Return the name of a host, under .example where there is room (RFC 2606)."""
        made = self._host(text)
        self.given[text] = made
        return made

    def packed(self, address: bytes) -> bytes:
        """Return an address for an address of IP as 4 or 16 bytes. What says nothing of a machine stays."""
        if len(address) == 4:
            return address if address[0] == 127 or not any(address) else self._place(address)
        if address[:12] == bytes(10) + b"\xff\xff":
            return address[:12] + self.packed(address[12:])
        if not any(address[:15]) and address[15] < 2:
            return address
        return b"\x20\x01\x0d\xb8" + self._hash(address, "address", 12)

    def address(self, address: Address | None) -> Address | None:
        """Return another host and the same port."""
        if address is None:
            return None
        try:
            packed = ipaddress.ip_address(address.host.partition("%")[0]).packed
        except ValueError:
            return Address(self.name(address.host), address.port)
        made = str(ipaddress.ip_address(self.packed(packed)))
        if made != address.host:
            self.given[address.host] = made
        return Address(made, address.port)

    def numbers(self, text: str) -> str:
        """Return an address for an address of IPv4 as text, of the same length, and one that is never routed."""
        octets = text.split(".")
        digits = iter(self._letters(text, "numbers", len(text), "0123456789"))
        made = [_FIRST[len(octets[0])], *(_octet(len(each), next(digits)) for each in octets[1:])]
        return ".".join(made)

    def _name(self, text: str) -> str:
        if found := _URL.fullmatch(text):
            scheme, host, rest = found.groups()
            scheme = scheme if scheme.lower() in _SCHEMES else "x" * len(scheme)
            return scheme + self._host(host) + re.sub(r"[^/]", "x", rest)
        local, at, host = text.rpartition("@")
        if at:
            return self._made(local, "user-", "") + at + self._host(host)
        if _NUMBERS.fullmatch(text):
            return self.numbers(text)
        if _HOST.fullmatch(text) and (text.islower() or "." in text):
            return self._host(text)
        return self._made(text, "name-", "")

    def _host(self, text: str) -> str:
        for before in ("*.", "."):
            if text.startswith(before):
                return before + self._host(text[len(before) :])
        if text.endswith("."):
            return self._host(text[:-1]) + "."
        if _NUMBERS.fullmatch(text):
            return self.numbers(text)
        return self._made(text.lower(), "host-", ".example")

    def _made(self, text: str, before: str, after: str) -> str:
        size = len(text)
        if size < len(before) + 3 + len(after):
            after = ""
        if size < len(before) + 3:
            before = ""
        room = size - len(before) - len(after)
        made = self._letters(text, "name", min(room, _TOLD), "abcdefghijkmnpqrstuvwxyz23456789")
        rest = ("x" * 40 + ".") * (room // 41 + 1)
        rest = rest[: room - len(made)]
        return before + made + (rest[:-1] + "x" if rest.endswith(".") else rest) + after

    def _letters(self, text: str, kind: str, size: int, alphabet: str) -> str:
        hashed = self._hash(text.encode("utf-8", "surrogatepass"), kind, size)
        return "".join(alphabet[each % len(alphabet)] for each in hashed)

    def _place(self, address: bytes) -> bytes:
        """Return an address that stands for no other one, as long as there are some."""
        made = self._places.get(address)
        if made is not None:
            return made
        number = int.from_bytes(self._hash(address, "address", 8), "big")
        for step in range(64):
            made = _DOCUMENTED[(number + step) % len(_DOCUMENTED)]
            if made not in self._taken:
                break
        else:
            made = _spare(number)
        if len(self._places) < _MOST_ADDRESSES:
            self._places[address] = made
            self._taken.add(made)
        return made

    def _hash(self, value: bytes, kind: str, size: int) -> bytes:
        head = f"{len(self._secret)}:{kind}:".encode()
        return shake_256(head + self._secret + value).digest(size)


#: The first number of addresses that are not routed, by its digits: RFC 1122, RFC 1918 and RFC 1112.
_FIRST = {1: "0", 2: "10", 3: "240"}


def _octet(size: int, digit: str) -> str:
    return digit if size == 1 else f"{int(digit) % 9 + 1}{digit}" if size == 2 else f"1{digit}{digit}"


def _spare(number: int) -> bytes:
    """Return an address of 240.0.0.0/4, which no machine has; two may be the same."""
    return bytes((0xF0 | number & 0x0F,)) + (number >> 8 & 0xFFFFFF).to_bytes(3, "big")
