"""`tune`: search for the merge plan, input size, target and precision that suit a model, its data and this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Precision, Preset
from segpp_deploy.data.datasets import AnyDataset, require_class_count, require_task
from segpp_deploy.data.datasets.selection import select_pictures
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.errors import SegppError, is_interrupt
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.files import require_writable
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.cards import keep_quiet
from segpp_deploy.model.weights.loading import SourceModel, load_source
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind, usable_engines
from segpp_deploy.tuning.search.clock import Clock, MeasuringClock, ModellingClock
from segpp_deploy.tuning.search.cost_model import CostModel
from segpp_deploy.tuning.search.finals import CONFIRMATIONS, Finals, seconds_for_finals
from segpp_deploy.tuning.search.judge import Judge, split_pictures
from segpp_deploy.tuning.search.limits import Limits
from segpp_deploy.tuning.search.peaks import find_gpu
from segpp_deploy.tuning.search.sampler import require_optuna
from segpp_deploy.tuning.search.search import Search, Tools
from segpp_deploy.tuning.search.space import SearchSpace
from segpp_deploy.tuning.search.store import TrialStore
from segpp_deploy.tuning.search.trial import Trial
from segpp_deploy.tuning.search.workbench import Workbench, lowering_for
from segpp_deploy.workflows.export.request import request_graph
from segpp_deploy.workflows.tune.options import IMAGES, TuneOptions
from segpp_deploy.workflows.tune.report import write_report
from segpp_deploy.workflows.tune.result import TuneResult

STATE_NAME = "trials.json"
JUDGING_SHARE, CONFIRMING_SHARE = 0.02, 0.05
"""Of the time; so long the original may take for all pictures to judge on, and for the held-out ones."""

INT8_SHARE = 0.1
"""Of the time; int8 is tried unasked where it takes no more."""

LEAST_IMAGES = 16
HELD_OUT_SHARES = (4, 1)
"""What loses far too much on a quarter of the held-out pictures is not shown the others."""

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
    limits = Limits.begin(60 * options.minutes)
    source = load_source(options.source, tell)
    with collect_findings() as findings:
        tuning = _Tuning(options, source, limits, progress)
        result = tuning.run()
    result = replace(result, further=(*source.notes, *findings.notes()))
    missing = write_report(result, options.out)
    return replace(result, further=(*result.further, *missing))


class _Tuning:
    """One run of the workflow."""

    def __init__(self, options: TuneOptions, source: SourceModel, limits: Limits, progress: Progress) -> None:
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
        request = request_graph(source, self._size)
        self._bench = Workbench(source.model, request, options.threads)
        self._limits = limits
        self._held_out = 0

    def run(self) -> TuneResult:
        """Search, and choose."""
        options = self._options
        engines, exact = self._rank_engines()
        with self._bench.open(self._original(exact)) as reference:
            baseline_ms = MeasuringClock(reference).baseline_ms
            images = self._count_images(baseline_ms)
            self._store.ask(self._question(images))
            dataset = self._pictures.judged.spread(images)
            judge = Judge(dataset, reference, options.seed, _REFERENCE, self._progress)
            tools = self._make_tools(engines, exact, reference, judge)
            search = Search(tools, options.goal, options.seed, self._progress)
            finals = Finals(tools, options.goal, self._limits, self._progress)
            held_out = self._count_held_out(baseline_ms)
            kept = seconds_for_finals(self._limits, held_out * judge.seconds_per_picture)
            int8_seconds = self._int8_seconds(baseline_ms)
            is_interrupted = False
            try:
                limits = replace(self._limits, trials=options.trials)
                search.run(replace(limits, kept_seconds=kept + int8_seconds))
                left = self._limits.seconds_left - kept
                if search.best is not None and 0 < int8_seconds <= left:
                    self._try_int8(search.best, finals, left)
                if self._gpu is None:
                    finals.time_again()
                choice = finals.choose(lambda seconds: self._open_held_out(reference, judge, held_out, seconds))
            except BaseException as error:
                if not is_interrupt(error) or search.best is None:
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
                held_out=self._held_out,
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

    def _count_held_out(self, baseline_ms: float) -> int:
        """Return on how many pictures the choice is confirmed, if time allows."""
        most = self._options.images or IMAGES
        affordable = int(CONFIRMING_SHARE * self._limits.seconds / (baseline_ms / 1000))
        return min(max(affordable, LEAST_IMAGES), most, len(self._pictures.held_out))

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

    def _int8_seconds(self, baseline_ms: float) -> float:
        """Return how long int8 takes where it was asked for, or where there is time for it; 0 where it is left out."""
        options = self._options
        needed = INT8_SECONDS + INT8_RUNS * baseline_ms / 1000
        is_wanted = Precision.INT8 in options.precisions or needed < INT8_SHARE * self._limits.seconds
        is_possible = self._gpu is None and self._int8_targets and isinstance(options.data, str)
        return needed if is_wanted and is_possible else 0.0

    @property
    def _int8_targets(self) -> list[TargetName]:
        return [kind.target for kind in self._usable if kind.precision is Precision.INT8]

    def _try_int8(self, trial: Trial, finals: Finals, seconds: float) -> None:
        assert isinstance(self._options.data, str)
        calibration = CalibrationOptions(self._options.data, threads=self._options.threads)
        targets = sorted(self._int8_targets, key=lambda target: target is not trial.candidate.engine.target)
        finals.try_int8(trial, targets, calibration, self._options.out, seconds)

    def _open_held_out(self, reference: Session, judge: Judge, images: int, seconds: float) -> Judge | None:
        """Open the held-out pictures, fewer where there is little time; None where it is not enough for the fewest."""
        affordable = int(seconds / (CONFIRMATIONS * judge.seconds_per_picture))
        count = min(images, affordable)
        if count < min(images, LEAST_IMAGES):
            return None
        dataset = self._pictures.held_out.spread(count)
        self._held_out = count
        return Judge(dataset, reference, self._options.seed, _HELD_OUT, self._progress, HELD_OUT_SHARES)


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
