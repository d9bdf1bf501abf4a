"""What `tune` found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Precision, Preset, Size
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.model.plan_file import plan_to_dict
from segpp_deploy.report.numbers import format_percent
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.tasks.protocol.evaluation import Evaluation
from segpp_deploy.tuning.search.candidate import Candidate
from segpp_deploy.tuning.search.choice import pareto_front
from segpp_deploy.tuning.search.finals import Choice
from segpp_deploy.tuning.search.trial import Trial
from segpp_deploy.workflows.export.command import export_command
from segpp_deploy.workflows.tune.options import TuneOptions

PLAN_NAME = "plan.yaml"


@dataclass(frozen=True)
class TuneResult:
    """The outcome of a search.

    Args:
        options: what was asked.
        size: the full input size.
        choice: what was chosen.
        trials: everything that was tried.
        complete: of it, what was timed and judged on all pictures.
        baseline: the unmerged network, in float32 where it was measured.
        baseline_ms: of a call of it; speed-ups are over it, and latencies follow from them.
        reference: scores of the unmerged float32 network on the pictures that candidates were judged on.
        held_out: on how many pictures the choice was confirmed.
        lowering: of the graph that the choice needs.
        environment: the machine.
        is_interrupted: whether Ctrl-C ended the search.
        is_exhausted: whether it ended because nothing was left to try.
        further: what the user should know besides.
    """

    options: TuneOptions
    size: Size
    choice: Choice
    trials: tuple[Trial, ...]
    complete: tuple[Trial, ...]
    baseline: Candidate
    baseline_ms: float
    reference: Evaluation
    held_out: int
    lowering: Lowering
    environment: Environment
    is_interrupted: bool = False
    is_exhausted: bool = False
    further: tuple[str, ...] = ()

    @property
    def front(self) -> list[Trial]:
        """The trials than which no other is both faster and more accurate, the fastest first."""
        return pareto_front(self.complete)

    @property
    def plan_path(self) -> Path:
        """The file of the chosen plan."""
        return self.options.out / PLAN_NAME

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know besides."""
        options, choice = self.options, self.choice
        notes = [f"Warning: {warning}" for warning in self.reference.warnings]
        if options.gpu is not None:
            notes.append(f"Nothing was measured on {options.gpu}: latencies are what a cost model makes of its peaks.")
        if self.is_interrupted:
            notes.append("Interrupted: this is what is known, not confirmed on held-out pictures. " + self._resume())
        if self.is_exhausted:
            notes.append("The search ended early: nothing is left that the cost model leaves a chance.")
        if choice.rejected:
            notes.append(f"{choice.rejected} faster candidates lost too much on held-out pictures.")
        if choice.unasked:
            notes.append(self._explain_unasked())
        if not choice.meets_goal:
            latency = f"{self.latency_ms(choice.trial):.2f} ms"
            notes.append(f"Nothing found is {options.goal}: this is the fastest that was found, {latency}.")
        slow = [one for one in self.trials if one.candidate.engine.precision is Precision.INT8 and not one.losses]
        notes += [f"int8 on {one.candidate.engine.target} was left out: {self._explain_int8(one)}." for one in slow]
        return (*self.further, *notes)

    def latency_ms(self, trial: Trial) -> float:
        """Return the milliseconds of a call of a candidate."""
        return self.baseline_ms / trial.speedup

    def commands(self) -> tuple[str, str]:
        """Return the commands that export and build what was chosen."""
        trial, folder = self.choice.trial, self.options.out
        candidate, name = trial.candidate, trial.candidate.plan.name
        mode = name if name in list(Preset) else self.plan_path
        lowering = None if self.lowering is Lowering.PORTABLE else self.lowering
        graph, engine = folder / f"{name}.onnx", folder / f"{name}.engine"
        return (
            export_command(self.options.source, graph, mode=mode, size=candidate.size, lowering=lowering),
            commands.build_engine(
                graph,
                engine,
                target=candidate.engine.target,
                precision=candidate.engine.precision,
                calibration=trial.ranges or None,
            ),
        )

    def require_reached(self) -> None:
        """Check that the search ran to its end and found what it was for.

        Raises:
            KeyboardInterrupt: Ctrl-C ended it.
            CheckFailedError: nothing meets the goal.
        """
        if self.is_interrupted:
            raise KeyboardInterrupt
        if not self.choice.meets_goal:
            raise CheckFailedError(
                f"Nothing was found that is {self.options.goal}.",
                "a goal that this model can reach on this machine.",
                "Allow more, or search longer: " + self._resume(),
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `tune --json`, which is tune.json too."""
        options, front = self.options, self.front
        export, build = self.commands()
        return {
            "goal": str(options.goal),
            "meets_goal": self.choice.meets_goal,
            "interrupted": self.is_interrupted,
            "measured": options.gpu is None,
            "gpu": options.gpu,
            "size": str(self.size),
            "metric": self.reference.headline.name,
            "reference": self.reference.headline.value,
            "images": self.reference.samples,
            "held_out_images": self.held_out,
            "baseline": str(self.baseline.engine),
            "baseline_ms": self.baseline_ms,
            "chosen": self._to_dict(self.choice.trial),
            "plan": str(self.plan_path),
            "commands": [str(export), str(build)],
            "front": [self._to_dict(trial) for trial in front],
            "trials": [self._to_dict(trial) for trial in self.trials],
            "environment": asdict(self.environment),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the Pareto front, and the presets beside it, some of which were judged on a few pictures only."""
        front = self.front
        presets = [
            trial
            for trial in self.trials
            if trial.candidate.plan.name in list(Preset) and trial.speedups and trial.losses and trial not in front
        ]
        tables = [Table("Pareto front", self._columns(), self._rows(front))]
        if presets:
            presets.sort(key=lambda trial: -trial.speedup)
            tables.append(Table("Presets that are not on it", self._columns(), self._rows(presets)))
        return tuple(tables)

    def summary(self) -> str:
        """Say what was chosen, and how it is made."""
        trial = self.choice.trial
        how = "" if self.options.gpu is None else " (cost model)"
        chosen = (
            f"Chosen: {trial.candidate}: {self.latency_ms(trial):.1f} ms{how}, {trial.speedup:.2f}x, "
            f"{trial.loss:.2f} points of {self.reference.headline.name} lost"
        )
        if trial.confirmed_loss is not None:
            chosen += f", {trial.confirmed_loss:.2f} on held-out pictures"
        return "\n".join([chosen, f"Plan: {self.plan_path}", *self.commands()])

    def _columns(self) -> tuple[Column, ...]:
        words = ("plan", "input", "target", "precision")
        timed = "ms" if self.options.gpu is None else "ms, modelled"
        numbers = (timed, "speed-up", "points lost", "agreement", "held-out points lost")
        return (*(Column(name, is_number=False) for name in words), *map(Column, numbers), Column("", is_number=False))

    def _rows(self, trials: Sequence[Trial]) -> tuple[tuple[str, ...], ...]:
        return tuple(
            (
                trial.candidate.plan.name,
                str(trial.candidate.size),
                str(trial.candidate.engine.target),
                str(trial.candidate.engine.precision),
                f"{self.latency_ms(trial):.1f}",
                f"{trial.speedup:.2f}x",
                f"{trial.loss:.2f}" if trial in self.complete else f"about {trial.loss:.2f}",
                format_percent(math.nan if trial.agreement is None else trial.agreement),
                "" if trial.confirmed_loss is None else f"{trial.confirmed_loss:.2f}",
                "chosen" if trial.candidate == self.choice.trial.candidate else "",
            )
            for trial in trials
        )

    def _to_dict(self, trial: Trial) -> dict[str, Any]:
        """Return what a script wants to know of a trial."""
        candidate = trial.candidate
        return {
            "mode": candidate.plan.name,
            "plan": plan_to_dict(candidate.plan),
            "size": str(candidate.size),
            "target": str(candidate.engine.target),
            "precision": str(candidate.engine.precision),
            "predicted_ms": trial.predicted_ms,
            "latency_ms": self.latency_ms(trial) if trial.speedups else None,
            "speedup": trial.speedup if trial.speedups else None,
            "loss": trial.loss if trial.losses else None,
            "judged_on_all": trial in self.complete,
            "agreement": trial.agreement,
            "confirmed_loss": trial.confirmed_loss,
            "error": trial.error,
        }

    def _explain_int8(self, trial: Trial) -> str:
        return f"{self.latency_ms(trial):.1f} ms" if trial.speedups else trial.error.rstrip(".")

    def _explain_unasked(self) -> str:
        if self.choice.trial.confirmed_loss is None:
            return "There was no time to confirm the choice on held-out pictures: allow more minutes."
        return f"There was no time to confirm {self.choice.unasked} candidates that may be faster: allow more minutes."

    def _resume(self) -> str:
        return "Go on with the same command and " + commands.option("resume") + "."
