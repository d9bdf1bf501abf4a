"""How long work tells whoever watches where it stands."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the step's name and how much of it is done; a new name starts a new step."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note."""


def no_progress(step: str, done: int, total: int) -> None:
    """Tell nobody."""
