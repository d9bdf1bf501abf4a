"""`tune`: search for the merge plan, input size, target and precision that suit a model, its data and this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import InputKind, Lowering, Precision, Preset
from segpp_deploy.data.datasets import AnyDataset, require_class_count, require_task
from segpp_deploy.data.datasets.selection import select_pictures
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.files import require_writable
from segpp_deploy.graph.exporting.export import GraphOptions
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.cards import keep_quiet
from segpp_deploy.model.weights.loading import SourceModel, load_source
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tasks.registry import TASKS, choose_output
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind, usable_engines
from segpp_deploy.tuning.search.clock import Clock, MeasuringClock, ModellingClock
from segpp_deploy.tuning.search.cost_model import CostModel
from segpp_deploy.tuning.search.finals import Finals
from segpp_deploy.tuning.search.judge import Judge, split_pictures
from segpp_deploy.tuning.search.peaks import find_gpu
from segpp_deploy.tuning.search.sampler import require_optuna
from segpp_deploy.tuning.search.search import Limits, Search, Tools
from segpp_deploy.tuning.search.space import SearchSpace
from segpp_deploy.tuning.search.store import TrialStore
from segpp_deploy.tuning.search.workbench import Workbench, lowering_for
from segpp_deploy.workflows.tune.options import IMAGES, TuneOptions
from segpp_deploy.workflows.tune.report import write_report
from segpp_deploy.workflows.tune.result import TuneResult

STATE_NAME = "trials.json"
SEARCH_SHARE = 0.75
"""Of the time; int8, timing the best once more and confirming take the rest."""

JUDGING_SHARE = 0.05
"""Of the time; so long the original may take for all pictures that candidates are judged on."""

LEAST_IMAGES = 16
_EVERY_PICTURE = 1 << 31

INT8_RUNS, INT8_SECONDS = 400, 30.0
"""int8 takes about as long as so many calls of the original, and so many seconds: calibration, and its layers."""

SLOWER_ENGINE = 1.25
"""Engines that run the unmerged network so many times as long as the fastest are left out."""

_ENGINES, _REFERENCE, _HELD_OUT = "Timing targets and precisions", "The original's predictions", "Held-out pictures"
_ABSENT = EngineKind(TargetName.TENSORRT, Precision.FP16)
"""What a GPU that is not here would run."""


@dataclass(frozen=True)
class Pictures:
    """What candidates are judged on, and what the choice is confirmed on."""

    judged: AnyDataset
    held_out: AnyDataset


def run_tune(
    options: TuneOptions, progress: Progress = no_progress, tell: Callable[[str], None] = keep_quiet
) -> TuneResult:
    """Search, and write what was found into the directory `options.out`.

    Ctrl-C ends the search early, once it has begun: the result is then what is known, unconfirmed.

    Raises:
        SegppError: Optuna is missing; the model, the data or the targets cannot be used; the directory holds another
            search. All of it before the search begins.
        KeyboardInterrupt: Ctrl-C before anything is known.
    """
    require_optuna()
    require_writable(options.out / STATE_NAME)
    source = load_source(options.source, tell)
    with collect_findings() as findings:
        tuning = _Tuning(options, source, progress)
        result = tuning.run()
    result = replace(result, further=(*source.notes, *findings.notes()))
    missing = write_report(result, options.out)
    return replace(result, further=(*result.further, *missing))


class _Tuning:
    """One run of the workflow."""

    def __init__(self, options: TuneOptions, source: SourceModel, progress: Progress) -> None:
        self._options = options
        self._source = source
        self._progress = progress
        self._task = TASKS[source.model.spec.task]
        self._size = options.size or source.size or self._task.default_size
        self._store = TrialStore(options.out / STATE_NAME, options.resume)
        self._gpu = None if options.gpu is None else find_gpu(options.gpu)
        self._usable = usable_engines(options.targets, options.precisions)
        self._exact = usable_engines(options.targets, (Precision.FP32,))
        self._pictures = _select(options, source)
        request = GraphOptions(
            size=self._size,
            batch=1,
            input_kind=InputKind.UINT8,
            output_kind=choose_output(None, self._task.name, len(source.classes)),
            lowering=Lowering.PORTABLE,
            classes=source.classes,
            normalization=source.normalization,
            checkpoint=source.name,
            checkpoint_sha256=source.sha256,
            seed=source.seed,
            training=source.training,
            threshold=source.threshold,
        )
        self._bench = Workbench(source.model, request, options.threads)
        self._limits = Limits(60 * options.minutes)

    def run(self) -> TuneResult:
        """Search, and choose."""
        options = self._options
        engines, exact = self._rank_engines()
        with self._bench.open(self._original(exact)) as reference:
            images = self._count_images(MeasuringClock(reference).baseline_ms)
            self._store.ask(self._question(images))
            dataset = self._pictures.judged.spread(images)
            judge = Judge(dataset, reference, options.seed, _REFERENCE, self._progress)
            tools = self._make_tools(engines, exact, reference, judge)
            search = Search(tools, options.goal, options.seed, self._progress)
            finals = Finals(tools, options.goal, self._progress)
            is_interrupted = False
            try:
                seconds = SEARCH_SHARE * self._limits.seconds
                search.run(replace(self._limits, seconds=seconds, trials=options.trials))
                self._try_int8(search, finals, tools.clock.baseline_ms)
                if self._gpu is None:
                    finals.time_again()
                choice = finals.choose(lambda: self._open_held_out(reference, images))
            except BaseException as error:
                if not _is_interrupt(error) or search.best is None:
                    raise
                is_interrupted = True
                choice = finals.choose(None)
            return TuneResult(
                options=options,
                size=self._size,
                choice=choice,
                trials=tuple(self._store.trials),
                complete=tuple(tools.complete()),
                baseline=tools.baseline,
                baseline_ms=tools.clock.baseline_ms,
                reference=judge.evaluation,
                held_out=min(images, len(self._pictures.held_out)),
                lowering=Lowering.PLUGIN if self._gpu else lowering_for(choice.trial.candidate.engine.target),
                environment=describe_environment(),
                is_interrupted=is_interrupted,
                is_exhausted=search.is_exhausted,
            )

    def _original(self, engine: EngineKind) -> Candidate:
        return Candidate(PRESETS[Preset.ORIGINAL], self._size, engine)

    def _rank_engines(self) -> tuple[tuple[EngineKind, ...], EngineKind]:
        """Return the engines worth searching on, the fastest first, and the fastest of those in float32."""
        wanted = [kind for kind in self._usable if kind.precision is not Precision.INT8]
        kinds = dict.fromkeys([*wanted, *self._exact])
        latency_ms: dict[EngineKind, float] = {}
        for done, kind in enumerate(kinds):
            self._progress(_ENGINES, done, len(kinds))
            with self._bench.open(self._original(kind)) as session:
                latency_ms[kind] = MeasuringClock(session).baseline_ms
        self._progress(_ENGINES, len(kinds), len(kinds))
        exact = min(self._exact, key=lambda kind: latency_ms[kind])
        ranked = sorted(wanted, key=lambda kind: latency_ms[kind])
        most_ms = SLOWER_ENGINE * latency_ms[ranked[0]]
        kept = {exact, *(trial.candidate.engine for trial in self._store.trials)}
        return tuple(kind for kind in ranked if latency_ms[kind] <= most_ms or kind in kept), exact

    def _count_images(self, baseline_ms: float) -> int:
        """Return on how many pictures candidates are judged: an earlier run's number, or what there is time for."""
        if self._options.images is not None:
            return self._options.images
        known = self._store.question.get("images")
        if isinstance(known, int):
            return known
        affordable = JUDGING_SHARE * self._limits.seconds / (baseline_ms / 1000)
        return int(min(max(affordable, LEAST_IMAGES), IMAGES))

    def _make_tools(
        self, engines: tuple[EngineKind, ...], exact: EngineKind, reference: Session, judge: Judge
    ) -> Tools:
        spec = self._source.model.spec
        if self._gpu is not None:
            self._bench.stand_in = exact
            engines, exact = (_ABSENT,), _ABSENT
            model = CostModel(spec, self._gpu, Lowering.PLUGIN)
            clock: Clock = ModellingClock(model, self._original(exact))
        else:
            model = CostModel(spec)
            clock = MeasuringClock(reference)
        space = SearchSpace(self._size, engines)
        return Tools(space, self._original(exact), self._bench, clock, judge, model, self._store)

    def _question(self, images: int) -> dict[str, Any]:
        """Return what an answer depends on, beside the machine."""
        options = self._options
        names = [data if isinstance(data, str) else data.name for data in (options.data, options.confirm or "")]
        return {
            "model": self._source.name,
            "sha256": self._source.sha256,
            "size": str(self._size),
            "data": names[0],
            "confirm": names[1],
            "images": images,
            "goal": str(options.goal),
            "targets": sorted(map(str, options.targets)),
            "precisions": sorted(map(str, options.precisions)),
            "gpu": options.gpu,
            "seed": options.seed,
        }

    def _try_int8(self, search: Search, finals: Finals, baseline_ms: float) -> None:
        """Try int8 where it was asked for, or where there is time for it."""
        options = self._options
        targets = [kind.target for kind in self._usable if kind.precision is Precision.INT8]
        needed = INT8_SECONDS + INT8_RUNS * baseline_ms / 1000
        is_wanted = Precision.INT8 in options.precisions or needed < self._limits.seconds_left
        if self._gpu is None and search.best is not None and isinstance(options.data, str) and is_wanted:
            calibration = CalibrationOptions(options.data, threads=options.threads)
            finals.try_int8(search.best, targets, calibration, options.out)

    def _open_held_out(self, reference: Session, images: int) -> Judge:
        dataset = self._pictures.held_out.spread(images)
        return Judge(dataset, reference, self._options.seed, _HELD_OUT, self._progress, shares=(1,))


def _select(options: TuneOptions, source: SourceModel) -> Pictures:
    """Find the pictures before the work begins.

    Raises:
        SegppError: no such data, or too few pictures to hold some out.
    """
    judged = _open_data(options.data, source)
    if options.confirm is not None:
        return Pictures(judged, _open_data(options.confirm, source))
    split = Pictures(*split_pictures(judged))
    if not len(split.held_out):
        raise SegppError(
            f"{judged.name} has {len(judged)} pictures: too few to hold some out.",
            "3 or more, or other pictures to confirm the choice on.",
            commands.option("confirm", commands.DATASET),
        )
    return split


def _open_data(data: str | AnyDataset, source: SourceModel) -> AnyDataset:
    task = source.model.spec.task
    if isinstance(data, str):
        return select_pictures(data, _EVERY_PICTURE, task, source.classes).dataset
    require_task(data, task)
    require_class_count(data, len(source.classes))
    return data


def _is_interrupt(error: BaseException) -> bool:
    """Whether it is Ctrl-C, or what a library made of it."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None
