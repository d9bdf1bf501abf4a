"""Kills a small `compare` at random moments: no finished row may be lost, and no file be left broken.

After each kill the journal must hold whatever it held before, and every report file must be whole. A comparison that
comes to its end gives way to a new one.

    python -m benchmarks.toolchain.killed_comparisons [--kills 20] [--seed 0]    (ten minutes)
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.arguments import make_parser
from segpp_deploy.config import Size
from segpp_deploy.workflows.compare.run import JOURNAL_NAME
from tests.support.small_scenes import write_scenes

SIZE = Size(64, 96)
PICTURES = 4
ENDS = {".html": "</html>\n", ".md": "\n", ".csv": "\n"}
Findings = dict[tuple[str, str], Any]


def main() -> int:
    """Kill, check, print; 1 if something was lost."""
    parser = make_parser(__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = write_scenes(Path(folder) / "scenes", PICTURES, SIZE)
        began = time.monotonic()
        subprocess.run(command(data, Path(folder) / "whole"), check=True)
        seconds = time.monotonic() - began
        faults = kill_repeatedly(data, Path(folder) / "killed", arguments.kills, seconds, arguments.seed)
    print(*(faults or [f"{arguments.kills} kills, and nothing was lost"]), sep="\n")
    return int(bool(faults))


def command(data: str, out: Path) -> list[str]:
    """Return the command that is killed."""
    options = ["--modes", "original,fast,2x2", "--sizes", str(SIZE), "--targets", "cpu", "--precisions", "fp32"]
    program = [sys.executable, "-m", "segpp_deploy", "compare", "segformer_b0_scenes", "--data", data, "--quiet"]
    return [*program, *options, "--iterations", "3", "-o", str(out)]


def kill_repeatedly(data: str, folder: Path, kills: int, seconds: float, seed: int) -> list[str]:
    """Return what was found to be lost or broken.

    Args:
        data: pictures.
        folder: of the reports; one after the other, each killed until it is whole.
        kills: how many.
        seconds: how long a whole run takes.
        seed: of the moments.
    """
    moments, faults = random.Random(seed), list[str]()
    killed, reports = 0, 0
    known: Findings = {}
    while killed < kills or known:
        out = folder / str(reports)
        process = subprocess.Popen(command(data, out), stdout=subprocess.DEVNULL)
        try:
            process.wait(moments.uniform(0.1, 0.9) * seconds if killed < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        faults += check(out, known)
        known = findings(out)
        print(f"report {reports}: exit code {process.returncode}, {len(known)} findings", file=sys.stderr)
        if process.returncode == 0:
            known, reports = {}, reports + 1
        else:
            killed += 1
    return faults


def findings(out: Path) -> Findings:
    """Return the whole lines of the journal."""
    path = out / JOURNAL_NAME
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    parsed = [parse(line) for line in lines]
    return {(line["subject"], line["key"]): line["finding"] for line in parsed if line is not None}


def parse(line: bytes) -> Any:
    """Return a line's content; None where it is torn."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def check(out: Path, known: Findings) -> list[str]:
    """Return what is no longer what it was, and files that are broken."""
    now = findings(out)
    lost = [subject for (subject, key), one in known.items() if now.get((subject, key)) != one]
    faults = [f"{subject} was lost or measured again" for subject in lost]
    for path in out.glob("compare.*"):
        text = path.read_text()
        is_json = path.suffix == ".json"
        if not (parse(text.encode()) is not None if is_json else text.endswith(ENDS[path.suffix])):
            faults.append(f"{path.name} is broken")
    return faults


if __name__ == "__main__":
    raise SystemExit(main())
