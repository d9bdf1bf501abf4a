"""Damaged files: seeded mutations of a whole one, as transfers, disks, editors and enemies make them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[bytearray, random.Random], None]

_TELLING_BYTES = b"\x00\x01\x7f\x80\xff\"'[]{}:,-&*!#<>%\\\n"
_TELLING_PARTS = (
    b"\xff\xfe\x80",  # no UTF-8
    b"\x1b[2J",  # a terminal obeys it
    b"9" * 40,
    b"9" * 5000,  # more digits than Python parses
    b"1e999",
    b"-1",
    b"null",
    b"NaN",
    b"true",
    b"[" * 60,
    b"\x00" * 9,
    b"\xff" * 8,
    "道路\u202e".encode(),
    b"x" * 5000,
)


def damaged(whole: bytes, seed: str) -> bytes:
    """Return the content with one to four mutations; the same for the same seed."""
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(_MUTATIONS)(content, chance)
    return bytes(content)


def _flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 3, 20))):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _set_byte(content: bytearray, chance: random.Random) -> None:
    if content:
        content[chance.randrange(len(content))] = chance.choice(_TELLING_BYTES)


def _cut_end(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _cut_out(content: bytearray, chance: random.Random) -> None:
    start, length = _block(content, chance)
    del content[start : start + length]


def _insert(content: bytearray, chance: random.Random) -> None:
    start, length = _block(content, chance)
    content[start:start] = chance.choice((chance.randbytes(length), chance.choice(_TELLING_PARTS)))


def _overwrite(content: bytearray, chance: random.Random) -> None:
    part = chance.choice(_TELLING_PARTS)
    start = chance.randrange(len(content) + 1)
    content[start : start + len(part)] = part


def _duplicate(content: bytearray, chance: random.Random) -> None:
    start, length = _block(content, chance)
    content[start:start] = content[start : start + length] * chance.choice((1, 1, 30))


def _swap_blocks(content: bytearray, chance: random.Random) -> None:
    start, length = _block(content, chance)
    other = chance.randrange(len(content) + 1)
    block = content[start : start + length]
    content[start : start + length] = content[other : other + length]
    content[other : other + length] = block


def _replace_value(content: bytearray, chance: random.Random) -> None:
    """Put something else in the place of a number or word of a text file."""
    found = list(re.finditer(rb"-?[0-9][0-9.eE+-]*|[A-Za-z_]{3,}|\"[^\"\n]*\"", content))
    if found:
        match = chance.choice(found)
        content[match.start() : match.end()] = chance.choice((*_TELLING_PARTS, b"", b"[]", b"{}", b'""', b"0", b"1.5"))


def _block(content: bytearray, chance: random.Random) -> tuple[int, int]:
    return chance.randrange(len(content) + 1), chance.choice((1, 2, 4, 16, 100))


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _set_byte,
    _cut_end,
    _cut_out,
    _insert,
    _overwrite,
    _duplicate,
    _swap_blocks,
    _replace_value,
    _replace_value,
)
