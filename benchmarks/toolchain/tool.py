"""Other programs that a script cannot do without."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.recording import ROOT


def run_tool(command: Sequence[object], folder: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """Return what a command prints; the script ends with what a failing one said.

    Args:
        command: the program and its words.
        folder: where it runs.
        variables: its whole environment; this process's if None.
    """
    words = list(map(str, command))
    done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout
