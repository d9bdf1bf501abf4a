"""What pyproject.toml says that is depended on; Python 3.10 has no reader of TOML."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from packaging.requirements import Requirement

from benchmarks.recording import ROOT

_LIST = re.compile(r"^([\w-]+) = (\[.*?\])$", re.MULTILINE | re.DOTALL)


def declared(extras: Iterable[str]) -> list[Requirement]:
    """Return the dependencies of the package, with those of extras."""
    lists = dict(_LIST.findall(_text()))
    return [Requirement(line) for name in ("dependencies", *extras) for line in ast.literal_eval(lists[name])]


def extra_names() -> tuple[str, ...]:
    """Return the extras, in the order of the file."""
    table = _text().partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    return tuple(name for name, _ in _LIST.findall(table))


def _text() -> str:
    return (ROOT / "pyproject.toml").read_text(encoding="utf-8")
