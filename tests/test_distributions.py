"""The release workflow runs what is here."""

from __future__ import annotations

import re

import yaml

from benchmarks.recording import ROOT


def test_the_workflow_runs_what_is_here() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    modules = [module for line in lines for module in re.findall(r"python -m (benchmarks\S+)", line)]
    assert modules == ["benchmarks.toolchain.distributions"]
    assert (ROOT / f"{modules[0].replace('.', '/')}.py").is_file()
