"""Deliberate bugs in the CUDA kernels: the tests must catch every one.

A bug is a patch in plugins/testing/mutations/, whose first line says what it plants. Each is applied to a copy of
plugins/, compiled for the CPU and tested with tests/plugins/kernels; the tests must pass without a patch and fail with
it.

    python -m benchmarks.toolchain.mutations [NAME ...]    (a quarter of an hour)
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import ROOT, Row, record_rows
from benchmarks.section import Section, text_columns
from benchmarks.toolchain.tool import run_tool
from segpp_deploy.plugin_library.build_tools import find_cmake, find_cxx, find_ninja
from segpp_deploy.plugin_library.cuda_toolkit import find_cuda_headers
from segpp_deploy.report.tables import Table

MUTATIONS = ROOT / "plugins/testing/mutations"
TESTS = "tests/plugins/kernels"
LIBRARY_VARIABLE = "SEGPP_HOST_LIBRARY"
TEST_TIMEOUT_S = 600.0
_OPS = {
    "test_token_match_merge.py": ("token_match_merge", "token_select_merge", "selection", "start_order"),
    "test_token_match.py": ("token_match", "match_", "token_grid", "token_select", "last_block"),
    "test_token_merge.py": ("token_merge", "merge_launch", "token_sort", "token_mean", "token_members"),
    "test_token_unmerge.py": ("token_unmerge",),
    "test_upsample_argmax.py": ("upsample_argmax",),
}
_FAILED = re.compile(r"^FAILED \S+::(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Mutation:
    """A bug to plant."""

    name: str
    plants: str
    patch: Path
    changed: Path  # below the root

    @property
    def test_module(self) -> str:
        """The tests of the op that it breaks."""
        return next(module for module, stems in _OPS.items() if self.changed.name.startswith(stems))


def list_mutations() -> list[Mutation]:
    """Return all mutations by name."""
    return [_read_mutation(patch) for patch in sorted(MUTATIONS.glob("*.patch"))]


def _read_mutation(patch: Path) -> Mutation:
    plants, _, header, *_ = patch.read_text(encoding="utf-8").splitlines()
    return Mutation(patch.stem, plants.removeprefix("# "), patch, Path(header.removeprefix("+++ b/")))


class StalePatchError(Exception):
    """The code that a patch changes is no longer there."""


class MutatedTree:
    """A copy of plugins/ and its build for the CPU."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._build = folder / "build"
        shutil.copytree(ROOT / "plugins", folder / "plugins")

    @property
    def library(self) -> Path:
        """What `build` makes."""
        return self._build / "libsegpp_host.so"

    def configure(self) -> None:
        """Prepare the build."""
        headers = ";".join(map(str, find_cuda_headers().include_dirs))
        settings = {
            "SEGPP_HOST": "ON",
            "CMAKE_MAKE_PROGRAM": find_ninja().path,
            "CMAKE_CXX_COMPILER": find_cxx().path,
            "SEGPP_CUDA_INCLUDE_DIR": headers,
        }
        definitions = [f"-D{name}={value}" for name, value in settings.items()]
        run_tool([find_cmake().path, "-G", "Ninja", "-S", self.folder / "plugins", "-B", self._build, *definitions])

    def apply(self, mutation: Mutation) -> None:
        """Plant the bug in a clean copy of the file that it changes.

        Raises:
            StalePatchError: the patch does not apply.
        """
        self.restore(mutation)
        # In a checkout git apply would skip files that are not that checkout's.
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(self.folder.parent)}
        command = ["git", "apply", str(mutation.patch)]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StalePatchError(f"{mutation.patch.name} does not apply: {done.stderr.strip()}")

    def restore(self, mutation: Mutation) -> None:
        """Take the bug out."""
        shutil.copyfile(ROOT / mutation.changed, self.folder / mutation.changed)

    def build(self) -> None:
        """Compile what has changed."""
        run_tool([find_cmake().path, "--build", self._build, "--target", "segpp_host"])


def main() -> int:
    """Plant, test, record after every bug, print; 1 if one is not caught."""
    parser = make_parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    names = parser.parse_args().names
    mutations = [mutation for mutation in list_mutations() if not names or mutation.name in names]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        tree = MutatedTree(Path(folder))
        tree.configure()
        tree.build()
        for module in sorted({mutation.test_module for mutation in mutations}):
            if failed := failing_test(tree.library, module):
                raise SystemExit(f"{module} fails without a bug: {failed}")
        for mutation in mutations:
            rows.append(measure(tree, mutation))
            record_rows("mutations", rows[-1:], lambda row: row["name"], {})
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(tree: MutatedTree, mutation: Mutation) -> Row:
    """Plant one bug and take it out again."""
    print(mutation.name, file=sys.stderr)
    tree.apply(mutation)
    tree.build()
    caught_by = failing_test(tree.library, mutation.test_module)
    tree.restore(mutation)
    return {
        "name": mutation.name,
        "plants": mutation.plants,
        "changes": mutation.changed.name,
        "caught_by": caught_by,
        "passed": caught_by is not None,
    }


def failing_test(library: Path, module: str) -> str | None:
    """Return the first test of a module that fails with the library, or None if all pass."""
    command = [sys.executable, "-m", "pytest", "-n0", "-x", "-p", "no:cacheprovider", "-rf", f"{TESTS}/{module}"]
    environment = {**os.environ, LIBRARY_VARIABLE: str(library), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TEST_TIMEOUT_S
    )
    if done.returncode == 0:
        return None
    failed = _FAILED.search(done.stdout)
    if failed is None:
        raise SystemExit(f"{module} did not run:\n{done.stdout}{done.stderr}")
    return failed[1]


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per planted bug."""
    rows = [
        (row["name"], row["plants"], f"`{row['changes']}`", f"`{row['caught_by']}`" if row["passed"] else "**nothing**")
        for row in recorded
    ]
    return [Table("", text_columns("bug", "what it does", "in", "caught by"), tuple(rows))]


SECTION = Section(
    "Bugs planted in the CUDA kernels",
    "Each bug was planted in a copy of the kernels, compiled for the CPU and run by the tests of its op, which "
    "pass without it. Named is the first test that failed.",
    make_tables,
    ("torch",),
)


if __name__ == "__main__":
    raise SystemExit(main())
