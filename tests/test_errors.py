"""Messages quote what libraries and files say without repeating what would harm a terminal, a log or a reader."""

from __future__ import annotations

import pytest

from segpp_deploy.errors import CommandText, SegppError, command_line, one_line, quote, shorten, some_names


class SilentError(Exception):
    """Its message is made of bytes that are no text."""

    def __str__(self) -> str:
        return b"node \xff".decode()


def test_a_message_that_cannot_be_put_together_leaves_the_kind_of_error() -> None:
    assert one_line(SilentError()) == "SilentError"


def test_library_messages_become_one_line_of_bounded_length() -> None:
    assert one_line(ValueError("first\r\n\tsecond\x00\x1b]0;title\x07")) == "first second\\x00\\x1b]0;title\\x07"
    told = one_line(ValueError("begin " + "\x07" * 5000 + " end"))
    assert told.startswith("begin ")
    assert told.endswith(" end")
    assert len(told) < 1300


@pytest.mark.parametrize("letter", ["\x1b", "\x00", "\x9b", "\u202e", "\u2028", "\udcff"])
def test_no_part_of_an_error_is_obeyed_by_a_terminal(letter: str) -> None:
    error = SegppError(f"a{letter}b", f"c{letter}d\n  e", CommandText(f"segpp-deploy inspect {letter}"))
    with command_line():
        told = str(error)
    assert letter not in told
    assert told.count("\n") == 3
    assert isinstance(error.fix, CommandText)
    told.encode()


def test_texts_of_our_own_pass_unchanged() -> None:
    what, fix = "größe 道路 é.png:\n\tline", CommandText("segpp-deploy inspect 'größe 1.onnx'")
    error = SegppError(what, fix=fix)
    assert error.what is what
    assert error.fix is fix


def test_long_parts_lose_their_middle() -> None:
    assert len(str(SegppError("x" * 100_000))) <= 4000


def test_values_are_quoted_in_bounded_time_and_length() -> None:
    value: object = "lol"
    for _ in range(40):
        value = [value] * 10  # as aliases in YAML make it
    assert len(quote(value)) <= 300
    assert quote({"a": [1, 2.5, None, True]}) == "{'a': [1, 2.5, None, True]}"
    assert quote("x" * 10_000).startswith("'xxx")


def test_names_from_files_are_cut() -> None:
    assert some_names(["a" * 1000, "b\x1b"]) == shorten("a" * 1000, 120) + ", b\\x1b"
