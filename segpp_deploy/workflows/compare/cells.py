"""The rows of a comparison: every mode at every size on every target in every precision, and which cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from segpp_deploy import commands
from segpp_deploy.config import Precision, Preset, Size, TaskName
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.graph.exporting.plain import PLAIN
from segpp_deploy.model.plan import PRESETS, MergePlan
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, contending_targets, open_target, resolve_auto
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.workflows.compare.options import PLAIN_BASELINE, Axis, CompareOptions

PLAIN_PLAN = replace(PRESETS[Preset.ORIGINAL], name=PLAIN)
"""The plan of the ordinary export, which merges nothing and is not folded."""


@dataclass(frozen=True)
class Cell:
    """One row of the table before anything is known of it.

    Args:
        model: the model's name.
        candidate: plan, size, target and precision.
        mode: the plan as the user named it: a preset or a file.
    """

    model: str
    candidate: Candidate
    mode: str

    @property
    def is_plain(self) -> bool:
        """Whether it is the ordinary export."""
        return self.candidate.plan is PLAIN_PLAN

    @property
    def is_exact(self) -> bool:
        """Whether it computes in float32."""
        return self.candidate.engine.precision is Precision.FP32

    @property
    def axes(self) -> Mapping[Axis, str]:
        """What tells it from the others."""
        candidate = self.candidate
        return {
            Axis.MODEL: self.model,
            Axis.MODE: candidate.plan.name,
            Axis.SIZE: str(candidate.size),
            Axis.TARGET: str(candidate.engine.target),
            Axis.PRECISION: str(candidate.engine.precision),
        }

    def __str__(self) -> str:
        return f"{self.model}, {self.candidate}"


def load_modes(options: CompareOptions) -> dict[str, MergePlan]:
    """Return the plans that are compared, by what the user called them; that of the baseline comes first.

    Raises:
        SegppError: a mode is unknown, or two plans have the same name.
    """
    words = [word for word in dict.fromkeys((options.baseline, *options.modes)) if word != PLAIN_BASELINE]
    ordered = options.modes if options.baseline in options.modes else words
    plans = {word: load_plan(word) for word in dict.fromkeys(ordered)}
    names = [plan.name for plan in plans.values()]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise SegppError(
            f"Two modes are called {repeated!r}.", "a name of its own for each plan file.", "Rename one of the files."
        )
    return plans


def choose_engines(options: CompareOptions) -> tuple[EngineKind, ...]:
    """Return the targets and precisions that were named; where none was, those that work here.

    Raises:
        SegppError: no target was named and none works here.
    """
    is_calibrated = options.calibration is not None
    targets = tuple(dict.fromkeys(map(resolve_auto, options.targets))) or _working_targets()
    if options.precisions:
        return tuple(EngineKind(target, precision) for target in targets for precision in options.precisions)
    every = [EngineKind(target, precision) for target in targets for precision in TARGETS[target].precisions]
    return tuple(
        kind
        for kind in every
        if kind.precision is Precision.FP32 or not explain_engine(kind, is_calibrated=is_calibrated)
    )


def _working_targets() -> tuple[TargetName, ...]:
    working = tuple(name for name in contending_targets() if not explain_engine(EngineKind(name), is_calibrated=False))
    if not working:
        raise SegppError("No target works here.", "a runtime.", commands.doctor())
    return working


def make_cells(
    model: str,
    sizes: Sequence[Size],
    plans: Mapping[str, MergePlan],
    engines: Sequence[EngineKind],
    options: CompareOptions,
) -> tuple[Cell, ...]:
    """Return the rows of one model that the filters leave; those of the baseline always."""
    cells = []
    for size in sizes:
        baseline = baseline_cell(model, size, plans, engines, options)
        product = [Cell(model, Candidate(plan, size, kind), mode) for mode, plan in plans.items() for kind in engines]
        chosen = [cell for cell in product if options.wants(cell.axes)]
        cells += [*([] if baseline in chosen else [baseline]), *chosen]
    return tuple(cells)


def baseline_cell(
    model: str, size: Size, plans: Mapping[str, MergePlan], engines: Iterable[EngineKind], options: CompareOptions
) -> Cell:
    """Return what speed-ups of a model at a size are over: in float32, on the first target that can have it."""
    if options.baseline == PLAIN_BASELINE:
        return Cell(model, Candidate(PLAIN_PLAN, size, EngineKind(TargetName.CPU)), PLAIN_BASELINE)
    targets = dict.fromkeys(kind.target for kind in engines)
    exact = [EngineKind(target) for target in targets]
    kind = next((one for one in exact if not explain_engine(one, is_calibrated=False)), exact[0])
    return Cell(model, Candidate(plans[options.baseline], size, kind), options.baseline)


def explain_impossible(cell: Cell, task: TaskName, *, is_calibrated: bool) -> str:
    """Return why a row cannot be built and run here, in a sentence; "" where it can."""
    if cell.is_plain and task is not TaskName.SEG:
        return "The plain export is for segmentation."
    try:
        _ = cell.candidate.key
    except SegppError as error:
        return one_line(error.what)
    return explain_engine(cell.candidate.engine, is_calibrated=is_calibrated)


def explain_engine(kind: EngineKind, *, is_calibrated: bool) -> str:
    """Return why a target cannot compute here in a precision, in a sentence; "" where it can."""
    info = TARGETS[kind.target]
    if kind.precision not in info.precisions:
        return f"The target {info.name} does not compute in {kind.precision}."
    try:
        target = open_target(kind.target)
        target.require_device()
    except SegppError as error:
        return one_line(error.what)
    if kind.precision not in target.usable_precisions():
        return f"This machine does not compute in {kind.precision} with {info.runtime}."
    if kind.precision is Precision.INT8 and not is_calibrated:
        return f"No calibration was given, which int8 needs: {commands.option('calibration', 'DATA')}."
    return ""
