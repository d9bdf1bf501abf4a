"""Result files of the benchmarks: what was measured, on what machine, with which versions, at which commit."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.files import write_text

Row = dict[str, Any]
Document = dict[str, Any]  # the content of a result file; `rows` and the facts beside them
ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results"
MEASURED = (":/segpp_deploy", ":/plugins", ":/benchmarks", ":/tests/support", ":!/benchmarks/results")


def record(name: str, results: dict[str, Any]) -> Path:
    """Write `results/NAME.json` whole and return its path."""
    document = {
        "command": _command(),
        "measured": _now(),
        "commit": _commit(),
        "environment": dataclasses.asdict(describe_environment()),
        **results,
    }
    path = RESULTS / f"{name}.json"
    write_text(path, json.dumps(document, indent=2) + "\n")
    print(f"recorded {path.relative_to(RESULTS.parent.parent)}", file=sys.stderr)
    return path


def record_rows(name: str, rows: list[Row], key: Callable[[Row], Any], facts: dict[str, Any]) -> Path:
    """Write rows into `results/NAME.json` beside those recorded before, replacing the ones with the same key.

    So a long benchmark can be measured in parts. Each row says its own time and commit; rows measured on another
    machine, with other versions or under other `facts` are dropped. The rows stand in the order of their keys.
    """
    stamped = [{**row, "measured": _now(), "commit": _commit()} for row in rows]
    merged = {key(row): row for row in [*recorded_rows(name, facts), *stamped]}
    return record(name, {**facts, "rows": [merged[which] for which in sorted(merged)]})


def recorded_rows(name: str, facts: dict[str, Any]) -> list[Row]:
    """Return the rows of `results/NAME.json` that were measured on this machine and under these facts."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    earlier = json.loads(path.read_text(encoding="utf-8"))
    expected = json.loads(json.dumps({"environment": dataclasses.asdict(describe_environment()), **facts}))
    rows: list[Row] = earlier["rows"]
    return rows if all(earlier.get(fact) == value for fact, value in expected.items()) else []


def _command() -> str:
    """Return what a reader types to run the module that is running."""
    running = sys.modules["__main__"].__spec__
    name = Path(sys.argv[0]).name if running is None else running.name  # tests run in workers, which have no module
    return " ".join(["python -m", name, *sys.argv[1:]])


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _commit() -> str:
    """Return the commit, marked where the code that is measured differs from it."""
    changed = _git("diff", "--quiet", "HEAD", "--", *MEASURED).returncode
    return _git("rev-parse", "--short", "HEAD").stdout.strip() + ("+changes" if changed else "")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=RESULTS.parent, capture_output=True, text=True, check=False)
