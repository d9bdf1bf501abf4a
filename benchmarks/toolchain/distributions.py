"""The wheel and the source distribution, built, and used where nothing else is.

    python -m benchmarks.toolchain.distributions              build, use, record (a quarter of an hour, some GB)
    python -m benchmarks.toolchain.distributions --check      record nothing
    python -m benchmarks.toolchain.distributions --out dist   keep what was built, with a bill of materials

They are built as for a release, the wheel from the source distribution, and checked with twine. In an empty
environment, out of sight of the checkout, the wheel says its version and commit, `doctor` finds the runtimes, and the
demo runs; the source distribution then takes the wheel's place and says the same. The bill of materials (CycloneDX) is
of that environment. Last, pip resolves every extra without installing it. TensorRT's wheels come from NVIDIA's index,
so `gpu` may fail where pip is not told of that.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.declared import extra_names
from benchmarks.recording import ROOT, Row, record
from benchmarks.section import Section, number_columns, text_columns
from benchmarks.toolchain.throwaway import CONSTRAINTS, Throwaway
from segpp_deploy import __version__
from segpp_deploy.files import write_text
from segpp_deploy.report.tables import Table
from segpp_deploy.versions import find_commit

EXTRAS = "cpu,openvino,report"
IMAGES = 4
MAY_FAIL = frozenset({"gpu"})


def main() -> int:
    """Build, use, print, record; 1 where something is not as it should be."""
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="record nothing")
    parser.add_argument("--out", type=Path, help="where the two are kept")
    arguments = parser.parse_args()
    commit = find_commit()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools, empty = Throwaway(folder / "tools"), Throwaway(folder / "empty")
        wheel, sdist = build(tools, folder / "dist")
        facts = use(empty, wheel, sdist)
        write_bill(tools, empty, wheel)
        rows = list(resolve_extras(Throwaway(folder / "resolver"), wheel))
        if arguments.out is not None:
            shutil.copytree(wheel.parent, arguments.out, dirs_exist_ok=True)
    SECTION.show(rows)
    print(json.dumps(facts, indent=2), file=sys.stderr)
    if not arguments.check:
        record("distributions", {**facts, "rows": rows})
    is_right = facts["commit"] == facts["commit_of_sdist"] == commit and facts["works"]
    return int(not is_right or any(not row["resolved"] for row in rows if row["extra"] not in MAY_FAIL))


def build(tools: Throwaway, out: Path) -> tuple[Path, Path]:
    """Return a new wheel, and the source distribution that it was built from."""
    tools.install("build", "twine", "cyclonedx-bom>=7")
    tools.run("python", "-m", "build", "--outdir", out, ROOT)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    tools.run("twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def use(empty: Throwaway, wheel: Path, sdist: Path) -> dict[str, Any]:
    """Run the wheel's program, and then the source distribution's, in an empty environment."""
    empty.install(f"{wheel}[{EXTRAS}]")
    empty.run("python", "-m", "pip", "check")
    version, commit = _version(empty)
    doctor = json.loads(empty.run("segpp-deploy", "doctor", "--json"))
    demo = json.loads(empty.run("segpp-deploy", "demo", "--images", IMAGES, "--out", wheel.stem, "--json", "--quiet"))
    empty.install("--force-reinstall", "--no-deps", sdist)
    return {
        "python": platform.python_version(),
        "version": version,
        "commit": commit,
        "commit_of_sdist": _version(empty)[1],
        "wheel_mib": round(wheel.stat().st_size / 2**20, 1),
        "sdist_mib": round(sdist.stat().st_size / 2**20, 1),
        "works": doctor["works"] and len(demo["rows"]) > 0,
        "images": IMAGES,
        "extras_of_demo": EXTRAS,
    }


def _version(environment: Throwaway) -> tuple[str, str]:
    first, second, *_ = environment.run("segpp-deploy", "--version").splitlines()
    return first.rpartition(" ")[2], second.removeprefix("commit: ")


def write_bill(tools: Throwaway, environment: Throwaway, wheel: Path) -> None:
    """Write an environment's bill of materials beside the wheel, checked against CycloneDX's schema."""
    words = ("--pyproject", ROOT / "pyproject.toml", "--short-PURLs", "--output-reproducible", "--validate")
    bill = json.loads(tools.run("cyclonedx-py", "environment", *words, environment.python))
    bill["metadata"]["component"]["version"] = __version__  # which pyproject.toml takes from the package
    write_text(wheel.with_suffix(".cdx.json"), json.dumps(bill, indent=2) + "\n")


def resolve_extras(resolver: Throwaway, wheel: Path) -> Iterator[Row]:
    """Yield for each extra whether pip finds versions of all packages that fit together."""
    for extra in extra_names():
        words = ("install", "--dry-run", "--quiet", "--report", "-", "--constraint", CONSTRAINTS, f"{wheel}[{extra}]")
        done = resolver.try_run("python", "-m", "pip", *words)
        found = json.loads(done.stdout)["install"] if done.returncode == 0 else []
        *_, error = ["", *(line.strip() for line in done.stderr.splitlines() if "error" in line.lower())]
        yield {"extra": extra, "resolved": done.returncode == 0, "packages": len(found), "error": error}


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per extra."""
    rows = [(row["extra"], str(row["packages"]) if row["resolved"] else row["error"]) for row in recorded]
    return [Table("", text_columns("extra") + number_columns("packages with the base"), tuple(rows))]


SECTION = Section(
    "Wheel and source distribution",
    "Built as for a release: a wheel of {wheel_mib} MiB, a source distribution of {sdist_mib} MiB. In an empty "
    "environment with the extras {extras_of_demo}, Python {python}, the wheel's `doctor` and `demo --images {images}` "
    "ran, and both said version {version} and the commit that they were built from. pip resolves the extras as listed; "
    "TensorRT's wheels, for `gpu`, come from NVIDIA's index, of which pip was not told.",
    make_tables,
    (),
)


if __name__ == "__main__":
    raise SystemExit(main())
