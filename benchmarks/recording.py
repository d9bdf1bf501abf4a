"""Result files of the benchmarks: what was measured, on what machine, with which versions, at which commit."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from enum import Enum, auto
from pathlib import Path
from typing import Any

from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.files import write_text

Row = dict[str, Any]
Document = dict[str, Any]  # the content of a result file; `rows` and the facts beside them
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results"
MEASURED = (":/segpp_deploy", ":/plugins", ":/benchmarks", ":/tests/support", ":!/benchmarks/results")


class Machines(Enum):
    """Which rows stay when others are measured on another machine, or with other versions."""

    HERE = auto()  # none: their times do not stand beside these
    LAST = auto()  # all that are not measured again: accuracies are the same everywhere
    EACH = auto()  # all: each machine's are shown apart


def record(name: str, results: dict[str, Any]) -> Path:
    """Write `results/NAME.json` whole and return its path."""
    document = {
        "command": _command(),
        "measured": time_here(),
        "commit": commit_here(),
        "environment": environment_here(),
        **results,
    }
    path = RESULTS / f"{name}.json"
    write_text(path, json.dumps(document, indent=2) + "\n")
    print(f"recorded {path.relative_to(RESULTS.parent.parent)}", file=sys.stderr)
    return path


def record_rows(
    name: str,
    rows: list[Row],
    key: Callable[[Row], Any],
    facts: dict[str, Any],
    *,
    machines: Machines = Machines.HERE,
) -> Path:
    """Write rows into `results/NAME.json` beside those recorded before, replacing the ones with the same key.

    So a long benchmark can be measured in parts. Each row says its own time and commit; rows measured under other
    `facts` are dropped, and of other machines those that `machines` says. The rows stand in the order of their keys.
    """
    here = environment_here()
    new = {key(row): {**row, "measured": time_here(), "commit": commit_here()} for row in rows}

    def stays(machine: Document, row: Row) -> bool:
        if machine != here and machines is not Machines.LAST:
            return machines is Machines.EACH
        return key(row) not in new

    placed = [(here, row) for row in new.values()] + [pair for pair in _read(name, facts) if stays(*pair)]
    placed.sort(key=lambda pair: (key(pair[1]), pair[0] != here))
    others: list[Document] = []
    written: list[Row] = []
    for machine, row in placed:
        if machine != here and machine not in others:
            others.append(machine)
        written.append(row if machine == here else {**row, "elsewhere": others.index(machine)})
    return record(name, {**facts, **({"elsewhere": others} if others else {}), "rows": written})


def recorded_rows(name: str, facts: dict[str, Any]) -> list[Row]:
    """Return the rows of `results/NAME.json` that were measured on this machine and under these facts."""
    here = environment_here()
    return [row for machine, row in _read(name, facts) if machine == here]


def machines_of(document: Document) -> list[tuple[Document, list[Row]]]:
    """Return each machine of a result file and its rows; the one that was measured on last comes first."""
    machines = [document["environment"], *document.get("elsewhere", ())]
    rows: list[list[Row]] = [[] for _ in machines]
    for row in document["rows"]:
        rows[row.get("elsewhere", -1) + 1].append({name: value for name, value in row.items() if name != "elsewhere"})
    return list(zip(machines, rows, strict=True))


def _read(name: str, facts: dict[str, Any]) -> list[tuple[Document, Row]]:
    """Return what `results/NAME.json` holds under these facts: rows, each with its machine."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if any(earlier.get(fact) != value for fact, value in json.loads(json.dumps(facts)).items()):
        return []
    return [(machine, row) for machine, rows in machines_of(earlier) for row in rows]


def environment_here() -> Document:
    """Return this machine and its packages as they are read back."""
    described: Document = json.loads(json.dumps(dataclasses.asdict(describe_environment())))
    return described


def _command() -> str:
    """Return what a reader types to run the module that is running."""
    running = sys.modules["__main__"].__spec__
    name = Path(sys.argv[0]).name if running is None else running.name  # tests run in workers, which have no module
    return " ".join(["python -m", name, *sys.argv[1:]])


def time_here() -> str:
    """Return the time, to the minute."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def commit_here() -> str:
    """Return the commit, marked where the code that is measured differs from it."""
    changed = _git("diff", "--quiet", "HEAD", "--", *MEASURED).returncode
    return _git("rev-parse", "--short", "HEAD").stdout.strip() + ("+changes" if changed else "")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
