"""Result files of the benchmarks: what was measured, on what machine, with which versions, at which commit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from segpp_deploy.evaluate.environment import describe_environment
from segpp_deploy.files import write_text

RESULTS = Path(__file__).resolve().parent / "results"


def record(name: str, results: dict[str, Any]) -> Path:
    """Write `results/NAME.json` whole and return its path."""
    document = {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "environment": asdict(describe_environment()),
        **results,
    }
    path = RESULTS / f"{name}.json"
    write_text(path, json.dumps(document, indent=2) + "\n")
    print(f"recorded {path.relative_to(RESULTS.parent.parent)}", file=sys.stderr)
    return path


def _commit() -> str:
    """Return the commit, marked where tracked files differ from it."""
    here = {"cwd": RESULTS.parent, "capture_output": True, "text": True}
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], check=False, **here).stdout.strip()  # type: ignore[call-overload]
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], check=False, **here).returncode  # type: ignore[call-overload]
    return commit + ("+changes" if changed else "")
