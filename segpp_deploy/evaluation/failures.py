"""Files that could not be read while work on the others went on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segpp_deploy.errors import SegppError, UnreadableFileError

_SHOWN = 20


@dataclass
class Failures:
    """What could not be read in one run.

    Args:
        allowed: so many files may fail before the run ends; None: any number, 0: none.
        limit_option: what raises the limit, for the message; "" where nothing does.
    """

    allowed: int | None = 0
    limit_option: str = ""
    errors: dict[str, UnreadableFileError] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.errors)

    def add(self, name: str, error: UnreadableFileError) -> None:
        """Take note of a file, once.

        Raises:
            UnreadableFileError: none may fail.
            SegppError: more failed than may.
        """
        self.errors[name] = error
        if self.allowed == 0:
            raise error
        if self.allowed is not None and len(self) > self.allowed:
            raise SegppError(
                _list(f"{len(self)} files cannot be read:", self.errors),
                f"at most {self.allowed}.",
                "Mend the files" + (" or set " + self.limit_option if self.limit_option else "") + ".",
            )

    def merge(self, other: Failures) -> None:
        """Take note of the files of another run, as `add` does.

        Raises:
            SegppError: as `add`.
        """
        for name, error in other.errors.items():
            self.add(name, error)

    def sort(self, names: Iterable[str]) -> None:
        """Put the files into the order of their names, for those who came to know of them in another."""
        self.errors = {name: self.errors[name] for name in names if name in self.errors}

    def to_list(self) -> list[dict[str, Any]]:
        """Return plain JSON values."""
        return [{"source": name, "reason": error.what} for name, error in self.errors.items()]

    def raise_any(self, total: int) -> None:
        """Raise one error that lists what was left out of `total` files, if anything was.

        Raises:
            SegppError: a file could not be read.
        """
        if self.errors:
            fixes = list(dict.fromkeys(error.fix for error in self.errors.values()))
            raise SegppError(
                _list(f"{len(self)} of {total} pictures could not be read and were left out:", self.errors),
                "files that can be read; what there is beside them was used.",
                fixes[0] if len(fixes) == 1 else "Copy or convert those files, or move them away.",
            )


def _list(title: str, errors: dict[str, UnreadableFileError]) -> str:
    lines = [error.what for error in list(errors.values())[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"... {len(errors) - _SHOWN} more")
    return "\n    ".join([title, *lines])
