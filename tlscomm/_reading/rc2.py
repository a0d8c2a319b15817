"""RC2 in CBC mode, for reading only (RFC 2268).

Windows encrypted the certificates of a PFX with RC2 and 40 bits for twenty years, and Java and OpenSSL did as well.
`cryptography` has RC2 with 128 bits alone. It reads such a PFX as a whole, but at whatever cost the file asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack, unpack, unpack_from

__all__ = ["BLOCK", "decrypt"]

BLOCK = 8
"""How many bytes are encrypted at a time."""

#: Section 2: a permutation of the numbers 0 to 255, made from the digits of pi.
_PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)

#: Section 3: by how many bits each of the four words is rotated.
_ROTATIONS = (1, 2, 3, 5)
#: Section 4.3: the rounds of mixing, with a round of mashing between them.
_ROUNDS = (5, 6, 5)


def decrypt(key: bytes, effectiveBits: int, iv: bytes, ciphertext: bytes) -> bytes:
    """Decrypt whole blocks; the padding is left on.

    Args:
        key: 1 to 128 bytes.
        effectiveBits: how many bits of the key count, 1 to 1024.
        iv: 8 bytes.
        ciphertext: a multiple of 8 bytes. A kilobyte takes about 3 ms.
    """
    words = _expanded(key, effectiveBits)
    return b"".join(_blocks(words, iv, ciphertext))


def _blocks(words: tuple[int, ...], previous: bytes, ciphertext: bytes) -> Iterator[bytes]:
    for offset in range(0, len(ciphertext), BLOCK):
        mixed = pack("<4H", *_decrypted(words, unpack_from("<4H", ciphertext, offset)))
        yield bytes(a ^ b for a, b in zip(mixed, previous, strict=True))
        previous = ciphertext[offset : offset + BLOCK]


def _expanded(key: bytes, effectiveBits: int) -> tuple[int, ...]:
    # Section 2. All of it is as in the RFC but for the names.
    size = len(key)
    effectiveBytes = (effectiveBits + 7) // 8
    mask = 0xFF >> (8 * effectiveBytes - effectiveBits)
    expanded = [*key, *bytes(128 - size)]
    for i in range(size, 128):
        expanded[i] = _PI[(expanded[i - 1] + expanded[i - size]) & 0xFF]
    expanded[128 - effectiveBytes] = _PI[expanded[128 - effectiveBytes] & mask]
    for i in range(127 - effectiveBytes, -1, -1):
        expanded[i] = _PI[expanded[i + 1] ^ expanded[i + effectiveBytes]]
    return unpack("<64H", bytes(expanded))


def _decrypted(words: tuple[int, ...], block: tuple[int, ...]) -> list[int]:
    state, used = list(block), 64
    for mixings in _ROUNDS:
        if used < 64:
            _unmash(state, words)
        for _ in range(mixings):
            used -= 4
            _unmix(state, words[used : used + 4])
    return state


def _unmix(state: list[int], words: tuple[int, ...]) -> None:
    for i in (3, 2, 1, 0):
        turn, before = _ROTATIONS[i], state[i - 1]
        turned = state[i] >> turn | state[i] << (16 - turn)
        state[i] = (turned - words[i] - (before & state[i - 2]) - (~before & state[i - 3])) & 0xFFFF


def _unmash(state: list[int], words: tuple[int, ...]) -> None:
    for i in (3, 2, 1, 0):
        state[i] = (state[i] - words[state[i - 1] & 63]) & 0xFFFF
