"""Virtual environments that a script makes, fills, and throws away with their folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.recording import ROOT
from benchmarks.toolchain.tool import run_tool

CONSTRAINTS = ROOT / "constraints/cpu.txt"


class Throwaway:
    """An environment with nothing but pip in it.

    Args:
        folder: where it is made; it is the caller's to remove.
    """

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        self._folder, self._programs = folder, folder / "bin"

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self._programs / "python"

    def install(self, *words: object) -> None:
        """Install what pip is told, in the versions that this is developed with."""
        self.run("python", "-m", "pip", "install", "--quiet", "--no-compile", "--constraint", CONSTRAINTS, *words)

    def run(self, program: str, *words: object) -> str:
        """Return what a program of the environment prints; the script ends with what a failing one said."""
        return run_tool([self._programs / program, *words], self._folder, self._variables())

    def try_run(self, program: str, *words: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the environment's folder: nothing of the checkout is in its sight."""
        command = [str(self._programs / program), *map(str, words)]
        variables = self._variables()
        return subprocess.run(command, cwd=self._folder, env=variables, capture_output=True, text=True, check=False)

    def _variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
