"""The wheel and the source distribution were used as recorded; the release workflow does the same again."""

from __future__ import annotations

import json
import re

import yaml

from benchmarks.declared import extra_names
from benchmarks.recording import RESULTS, ROOT
from benchmarks.toolchain.distributions import IMAGES, MAY_FAIL

RECORD = json.loads((RESULTS / "distributions.json").read_text())
AGAIN = "run python -m benchmarks.toolchain.distributions"


def test_every_extra_was_resolved() -> None:
    resolved = {row["extra"]: row["resolved"] for row in RECORD["rows"]}
    assert list(resolved) == list(extra_names()), AGAIN
    assert {extra for extra in resolved if not resolved[extra]} <= MAY_FAIL, AGAIN
    assert all(row["packages"] > 10 for row in RECORD["rows"] if row["resolved"])


def test_both_were_used() -> None:
    assert RECORD["works"]
    assert RECORD["images"] == IMAGES
    assert RECORD["commit"] == RECORD["commit_of_sdist"] != "unknown"


def test_the_workflow_runs_what_is_here() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    modules = [module for line in lines for module in re.findall(r"python -m (benchmarks\S+)", line)]
    assert modules == ["benchmarks.toolchain.distributions"]
    assert (ROOT / f"{modules[0].replace('.', '/')}.py").is_file()
