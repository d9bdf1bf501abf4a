"""How many files a reader passes who follows one command, and how often the way leads back up.

Runs a command in this process and notes every call from one file of the package to another. A call climbs where the
called file imports the caller's, directly or through others: it goes back to who asked.

    python -m benchmarks.toolchain.call_paths predict fast.engine street.jpg -o out.png
    python -m benchmarks.toolchain.call_paths --package OTHER_CHECKOUT predict ...
"""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "segpp_deploy"


class CallPaths:
    """Collects calls between files below a folder."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}/"
        self.files: set[str] = set()
        self.calls: set[tuple[str, str]] = set()

    def note(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Take a profiler's event."""
        callee = self._name_of(frame) if event == "call" else None
        if callee is None:
            return
        self.files.add(callee)
        caller = self._name_of(frame.f_back) if frame.f_back is not None else None
        if caller is not None and caller != callee:
            self.calls.add((caller, callee))

    def _name_of(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code.co_name == "<module>" or not code.co_filename.startswith(self._prefix):
            return None
        return code.co_filename.removeprefix(self._prefix)


def find_climbs(folder: Path, calls: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the calls whose called file imports the caller's."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")}
    imports = {name: _imported_files(path, files) for name, path in files.items()}
    return {(caller, callee) for caller, callee in calls if caller in _closure(callee, imports)}


def _imported_files(path: Path, files: dict[str, Path]) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            base = (node.module or "").replace(".", "/").removeprefix(PACKAGE).lstrip("/")
            names |= {base, *(f"{base}/{alias.name}".lstrip("/") for alias in node.names)}
    return {name for name in (f"{name}.py" for name in names) if name in files}


def _closure(name: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = [name]
    while pending:
        new = imports.get(pending.pop(), set()) - found
        found |= new
        pending += new
    return found


def main() -> int:
    """Run the command and print the counts; the command's own exit code."""
    arguments = sys.argv[1:]
    root = ROOT
    if arguments[:1] == ["--package"]:
        root, arguments = Path(arguments[1]).resolve(), arguments[2:]
        sys.path.insert(0, str(root))
    run_command = importlib.import_module(f"{PACKAGE}.cli.main").run_command
    folder = Path(str(importlib.import_module(PACKAGE).__file__)).parent
    assert folder.parent == root, f"{PACKAGE} was loaded from {folder}"
    run_command(arguments)  # once unwatched, so that what modules do while they load does not count
    paths = CallPaths(folder)
    sys.setprofile(paths.note)
    try:
        code = int(run_command(arguments))
    finally:
        sys.setprofile(None)
    climbs = sorted(find_climbs(folder, paths.calls))
    print(f"{len(paths.files)} files, {len(paths.calls)} ways between them, {len(climbs)} climbs", file=sys.stderr)
    for caller, callee in climbs:
        print(f"  {caller} -> {callee}", file=sys.stderr)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
