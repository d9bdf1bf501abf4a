"""How long work tells whoever watches where it stands."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the step's name and how much of it is done; a new name starts a new step."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note."""


def no_progress(step: str, done: int, total: int) -> None:
    """Tell nobody."""


PERCENT = 100


def part_of(progress: Progress, step: str, first: int, last: int) -> Progress:
    """Return a watcher for work that is a part of a step: what it is told becomes `first` .. `last` percent of `step`.

    Example:
        >>> inner = part_of(lambda step, done, total: print(step, done, total), "Building", 10, 90)
        >>> inner("Compiling", 1, 4)
        Building 30 100
    """

    whole = step

    def report(step: str, done: int, total: int) -> None:
        progress(whole, first + (last - first) * done // max(total, 1), PERCENT)

    return report
