"""Reading ahead and writing behind keep order and errors, and no more waits than may."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from segpp_deploy.data.findings import collect_findings, note_first_of_many
from segpp_deploy.evaluation.overlap import DEPTH, Behind, ahead


def test_items_come_in_order_and_no_more_than_asked_wait() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    seen = []
    for number in ahead(source()):
        seen.append(number)
        assert len(taken) <= len(seen) + DEPTH
    assert seen == taken == list(range(50))


def test_the_sources_error_comes_in_its_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    items = ahead(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="broken"):
        next(items)


def test_a_reader_that_is_left_ends_its_thread() -> None:
    before = threading.active_count()
    items = ahead(range(1000))
    next(items)
    items.close()
    assert threading.active_count() == before


def test_findings_of_the_thread_are_collected(tmp_path) -> None:
    def source() -> Iterator[int]:
        note_first_of_many(tmp_path / "a.gif", 3)
        yield 1

    with collect_findings() as findings, Behind() as behind:
        assert list(ahead(source())) == [1]
        behind.call(note_first_of_many, tmp_path / "b.gif", 2)
    assert len(findings.first_of_many) == 2


def test_calls_are_made_in_order() -> None:
    seen: list[int] = []
    with Behind() as behind:
        for number in range(30):
            behind.call(seen.append, number)
    assert seen == list(range(30))


def test_an_error_ends_the_calls() -> None:
    seen: list[int] = []

    def call(number: int) -> None:
        if number == 3:
            raise OSError("no space left")
        seen.append(number)

    def call_all() -> None:
        with Behind(1) as behind:
            for number in range(100):
                behind.call(call, number)

    with pytest.raises(OSError, match="no space left"):
        call_all()
    assert seen[:3] == [0, 1, 2]
    assert len(seen) < 10


def test_the_owners_error_drops_what_waits() -> None:
    gate, seen = threading.Event(), list[int]()

    def call_and_fail() -> None:
        with Behind(10) as behind:
            behind.call(gate.wait)
            for number in range(5):
                behind.call(seen.append, number)
            threading.Timer(0.05, gate.set).start()
            raise KeyError

    with pytest.raises(KeyError):
        call_and_fail()
    assert seen == []
