"""What reading and writing messages costs without a connection, and what hostile input costs next to harmless.

    .venv/bin/python benchmarks/framing.py

Each line is a stream in the chunks that it comes in: microseconds for all of it, and the ratio to the same number of
bytes of ordinary text in the same chunks. What looks like a delimiter at every byte takes Python's own search, which is
what ordinary text would take too if the delimiter were not searched for by its first byte. Where an input is many short
messages, they are what costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tlscomm.messages import FRAMINGS, Framing

MAXIMUM = 1 << 21
SIZE = 1 << 18
ROUNDS = 7

#: What a text is made of, ordinary text first.
TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog, and so on. ",
    "XML": "<row id='1'><name>fox</name><jumps>over</jumps></row>",
    "all <": "<",
    "all <EO": "<EO",
    "< now and then": "<" + "a" * 2000,
    "not ASCII": "Größe 你好 ",
}


def main() -> None:
    # The allocator learns in the first rounds what it is not to give back.
    for framing in FRAMINGS.values():
        reading(framing, framing.encode("a" * SIZE, MAXIMUM), 1 << 16)
    for name, framing in FRAMINGS.items():
        print(f"{name:12}{'64 KiB chunks':>20}{'1 KiB chunks':>20}{'to send':>20}")
        first: list[float] = []
        for label, part in TEXTS.items():
            text = part * (SIZE // len(part.encode()))
            stream = framing.encode(text, MAXIMUM)
            values = [reading(framing, stream, 1 << 16), reading(framing, stream, 1 << 10), sending(framing, text)]
            first = first or values
            print(f"  {label:16}" + "".join(f"{v:12.0f} {v / f:7.2f}" for v, f in zip(values, first, strict=True)))
        short = framing.encode("a" * 100, MAXIMUM) * (SIZE // 100)
        value = reading(framing, short, 1 << 16)
        print(f"  {'100-byte messages':16}{value:11.0f} {value / first[0]:7.2f}")


def reading(framing: Framing, stream: bytes, size: int) -> float:
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]

    def read() -> None:
        decoder = framing.decoder(MAXIMUM)
        for chunk in chunks:
            decoder.receive(chunk)

    return fastest(read)


def sending(framing: Framing, text: str) -> float:
    return fastest(lambda: framing.pieces(text, MAXIMUM))


def fastest(act: Callable[[], object]) -> float:
    """Microseconds of processor time in the fastest of some rounds."""
    values = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(5):
            act()
        values.append((time.process_time() - began) / 5)
    return min(values) * 1e6


if __name__ == "__main__":
    main()
