"""All that a GPU can tell in half an hour: checks, kernels, the published table, and the engines of every runtime here.

Each step is a process of its own with a time limit; what it found is written as it ends, and the same command goes on
after an interruption. Nothing is fetched: what is not installed is named, and left out.

    python -m benchmarks.measure.gpu                       on a machine with a GPU
    python -m benchmarks.measure.gpu --emulated            a CPU in its place, in small

Writes DIR/gpu.json and DIR/gpu.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.gpu_hour.clocks import describe_gpu, watch_gpu
from benchmarks.gpu_hour.page import write_page
from benchmarks.gpu_hour.step import Outcome, Step, StepResult, run_step
from benchmarks.gpu_hour.steps import emulated_steps, gpu_steps
from benchmarks.recording import commit_here, environment_here, time_here
from segpp_deploy.files import write_text

OUT = Path("gpu-report")
WORK = "gpu-work"
MINUTES = 25.0
NO_TIME, NOT_ASKED = "no time was left", "not asked for"


def main(words: Sequence[str] | None = None) -> int:
    """Measure, write, print; 1 if a step failed or came to its time limit."""
    arguments = _parse(words)
    out: Path = arguments.out
    steps = (emulated_steps if arguments.emulated else gpu_steps)(out / WORK)
    facts = {
        "commit": commit_here(),
        "emulated": arguments.emulated,
        "environment": environment_here(),
        "gpu": describe_gpu(),
    }
    wanted = [step for step in steps if not arguments.only or any(word in step.name for word in arguments.only)]
    results = measure(steps, wanted, out, facts, 60 * arguments.minutes, fresh=arguments.fresh)
    print(f"Wrote {out / 'gpu.json'} and {out / 'gpu.md'}")
    return int(any(one.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) for one in results))


def measure(
    steps: Sequence[Step],
    wanted: Sequence[Step],
    out: Path,
    facts: dict[str, Any],
    budget_s: float,
    *,
    fresh: bool = False,
) -> list[StepResult]:
    """Run the steps that have not passed yet, within a time, and write both files after each.

    Args:
        steps: all, in this order.
        wanted: those to run; what there is no time for is left out.
        out: the folder of `gpu.json` and `gpu.md`, and of what the steps keep for each other.
        facts: what all results depend on; results under other facts are not known, and what steps kept then is removed.
        budget_s: seconds for all.
        fresh: nothing is known.
    """
    end = time.monotonic() + budget_s
    known = {} if fresh else _read(out / "gpu.json", facts)
    if not known:
        shutil.rmtree(out / WORK, ignore_errors=True)  # what other code exported
    (out / WORK).mkdir(parents=True, exist_ok=True)
    results = [known.get(step.name, _left_out(step, NO_TIME if step in wanted else NOT_ASKED)) for step in steps]
    for index, step in enumerate(steps):
        left = end - time.monotonic()
        if step not in wanted or results[index].outcome is Outcome.PASSED or left <= 0:
            continue
        print(f"{step.name} ..", file=sys.stderr, flush=True)
        with watch_gpu() as gpu:
            found = run_step(step, min(step.limit_s, left))
        results[index] = dataclasses.replace(found, gpu=gpu)
        print(f"  {found.outcome}, {found.seconds:.0f} s", file=sys.stderr, flush=True)
        _write(out, facts, results)
    _write(out, facts, results)
    return results


def _parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all steps together")
    parser.add_argument("--emulated", action="store_true", help="a CPU in the place of the GPU, in small")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="steps with one of these words in their name")
    parser.add_argument("--fresh", action="store_true", help="measure everything anew")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR")
    return parser.parse_args(words)


def _left_out(step: Step, why: str) -> StepResult:
    return StepResult(step.name, step.command, Outcome.LEFT_OUT, why=why)


def _read(path: Path, facts: dict[str, Any]) -> dict[str, StepResult]:
    """Return what is known under these facts."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text(encoding="utf-8"))
    if any(document.get(name) != value for name, value in json.loads(json.dumps(facts)).items()):
        return {}
    return {step["name"]: StepResult.from_dict(step) for step in document["steps"]}


def _write(out: Path, facts: dict[str, Any], results: Sequence[StepResult]) -> None:
    document = {**facts, "measured": time_here(), "steps": [one.to_dict() for one in results]}
    write_text(out / "gpu.json", json.dumps(document, indent=2) + "\n")
    write_text(out / "gpu.md", write_page(document, results))


if __name__ == "__main__":
    raise SystemExit(main())
