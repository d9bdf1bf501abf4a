"""How fast engines are on this machine, and how much memory they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.environment import Environment, describe_environment
from segpp_deploy.evaluation.latency import InterleavedLatency, Timer, require_counts, take_turns
from segpp_deploy.evaluation.regression import compare_samples
from segpp_deploy.evaluation.sustained import SustainedRun, require_seconds, run_sustained
from segpp_deploy.evaluation.worker import EngineWorker, profile_engine, start_worker
from segpp_deploy.files import require_writable
from segpp_deploy.hardware.cpu import physical_cores, require_threads
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.session import Profile, SessionOptions
from segpp_deploy.workflows.bench.baseline import Baseline, Comparison, describe_other_machine, read_baseline
from segpp_deploy.workflows.bench.batches import check_batch, require_batch
from segpp_deploy.workflows.bench.options import BenchOptions
from segpp_deploy.workflows.bench.pictures import open_pictures
from segpp_deploy.workflows.bench.power import PowerState, describe_power
from segpp_deploy.workflows.bench.report import REPORT_NAME, write_report
from segpp_deploy.workflows.bench.result import BenchResult, EngineTiming, Samples

_PROFILE_RUNS = 10


def run_bench(options: BenchOptions, progress: Progress = no_progress) -> BenchResult:
    """Time engines on noise, and on pictures if asked, each in a process of its own.

    Several engines take turns, forwards in one round and backwards in the next, so that a machine that slows down for a
    while slows all of them. All are loaded at once: together they have to fit into memory. What they keep up without a
    pause is measured of one after the other, since together they would slow each other.

    Raises:
        SegppError: no engine, impossible counts or times, an engine that cannot be opened or run or that takes another
            batch, no such picture or one that cannot be read, or a report that cannot be written.
    """
    _check_options(options)
    if options.report_dir is not None:
        require_writable(options.report_dir / REPORT_NAME)
    baseline = None if options.baseline is None else read_baseline(options.baseline)
    manifests = [verify_engine(engine) for engine in options.engines]
    for engine, manifest in zip(options.engines, manifests, strict=True):
        check_batch(engine, manifest, options.batch)
    open_batch = options.batch or 1
    session_options = SessionOptions(options.threads)
    with ExitStack() as stack:
        pictures = None
        if options.times_pictures:
            tasks = [manifest.metadata.task for manifest in manifests]
            pictures = stack.enter_context(open_pictures(options.picture, tasks))
        workers = []
        for index, engine in enumerate(options.engines):
            progress("Loading engines", index, len(options.engines))
            workers.append(stack.enter_context(start_worker(engine, session_options, open_batch)))
        timers: dict[str, Timer] = {}
        for index, (worker, manifest) in enumerate(zip(workers, manifests, strict=True)):
            timers[str(index)] = worker.run_ms
            if pictures is not None:
                timers[_way(index)] = partial(_predict_next, worker, cycle(pictures.by_task[manifest.metadata.task]))
        latency = take_turns(timers, options.iterations, options.warmup, progress)
        sustained = [_sustain(worker, options, progress) for worker in workers]
        peaks = [worker.peak_memory_bytes() for worker in workers]
        loads = [worker.load_seconds for worker in workers]
    timings = tuple(
        EngineTiming(
            path=engine,
            manifest=manifest,
            batch=manifest.metadata.batch or open_batch,
            threads=options.threads or manifest.threads or physical_cores(),
            load_seconds=loads[index],
            calls=_samples(latency, str(index), manifest.metadata.batch or open_batch),
            peak_memory_bytes=peaks[index],
            profile=_profile(engine, options, progress) if options.profile else None,
            end_to_end=None if pictures is None else _samples(latency, _way(index)),
            sustained=sustained[index],
        )
        for index, (engine, manifest) in enumerate(zip(options.engines, manifests, strict=True))
    )
    environment, power = describe_environment(), describe_power()
    comparison = None if baseline is None else _compare(timings, baseline, environment, power, options)
    seen = "" if pictures is None else pictures.description
    result = BenchResult(timings, latency, environment, power, comparison, options.command, seen)
    if options.report_dir is not None:
        result = replace(result, remarks=write_report(result, options.report_dir))
    return result


def _way(index: int) -> str:
    return f"{index} end to end"


def _predict_next(worker: EngineWorker, pictures: Iterator[Path]) -> float:
    return worker.predict_ms(next(pictures))


def _samples(latency: InterleavedLatency, name: str, batch: int = 1) -> Samples:
    return Samples(latency.stats(name, batch), latency.samples_ms[name], latency.warmup_ms[name])


def _sustain(worker: EngineWorker, options: BenchOptions, progress: Progress) -> SustainedRun | None:
    return None if options.sustained_s is None else run_sustained(worker.run_for, options.sustained_s, progress)


def _compare(
    timings: tuple[EngineTiming, ...],
    baseline: Baseline,
    environment: Environment,
    power: PowerState,
    options: BenchOptions,
) -> Comparison:
    assert options.baseline is not None
    changes = []
    for timing in timings:
        before = baseline.samples_of(timing.to_dict())
        changes.append(None if before is None else compare_samples(before, timing.calls.samples_ms))
    return Comparison(options.baseline, tuple(changes), describe_other_machine(baseline, environment, power))


def _profile(engine: Path, options: BenchOptions, progress: Progress) -> Profile:
    runs = min(options.iterations, _PROFILE_RUNS)
    progress(f"Profiling {engine}", 0, 1)
    warmup = min(options.warmup, runs)
    profile = profile_engine(engine, SessionOptions(options.threads), runs, warmup, options.batch or 1)
    progress(f"Profiling {engine}", 1, 1)
    return profile


def _check_options(options: BenchOptions) -> None:
    if not options.engines:
        raise SegppError("No engine was named.", "one or more engine files.", commands.bench())
    require_counts(options.iterations, options.warmup)
    require_threads(options.threads)
    require_batch(options.batch)
    require_seconds(options.sustained_s)
