"""Compile an exported graph, try the engine once, and write it with its record."""

from __future__ import annotations

import hashlib
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import Precision
from segpp_deploy.engine.automatic_choice import AutomaticChoice
from segpp_deploy.engine.export_again import export_again
from segpp_deploy.engine.manifest import Manifest, dump_manifest, manifest_path
from segpp_deploy.engine.precision_record import PrecisionRecord
from segpp_deploy.errors import SegppError
from segpp_deploy.files import atomic_path, require_writable
from segpp_deploy.graph.contract import format_shape, input_spec, noise_images, output_specs
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.cpu import require_threads
from segpp_deploy.progress import PERCENT, Progress, no_progress, part_of
from segpp_deploy.runtimes.builder_options import BuilderOptions, check_builder_options
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, open_target, resolve_auto
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, Target, TargetInfo

# Each step, and the percentage of the whole at which it begins.
_BUILDING, _TRYING = ("Building the engine", 5), ("Trying the engine", 90)
_FOREIGN_SUFFIXES = (".xml", ".bin", ".json")


@dataclass(frozen=True)
class EngineOptions:
    """What to build.

    Args:
        target: see `TARGETS`; AUTO takes the fastest that works here.
        precision: None = the graph's.
        threads: CPU threads the engine will use; None = one per physical core.
        builder: what the builder of a GPU target is asked for.
    """

    target: TargetName = TargetName.AUTO
    precision: Precision | None = None
    threads: int | None = None
    builder: BuilderOptions = field(default_factory=BuilderOptions)


def build_graph(
    graph: GraphFile,
    output: Path,
    options: EngineOptions,
    record: PrecisionRecord | None = None,
    progress: Progress = no_progress,
    automatic: AutomaticChoice | None = None,
) -> Manifest:
    """Compile a graph, try the engine once where it can run here, and write it with its manifest, `output`.json.

    After a failure neither file is left, or both are what they were before.

    Args:
        graph: what to build, as it was exported or rewritten to another precision.
        output: the engine file.
        options: what to build it for.
        record: how the graph came to its precision, for the manifest.
        progress: told about each step.
        automatic: what the program chose, for the manifest.

    Raises:
        SegppError: the graph, the target and the options do not fit together, the target is not available, or the
            engine fails its trial run.
    """
    options = replace(options, target=resolve_auto(options.target))
    settings = resolve_settings(graph.metadata, graph.path, options)
    target = open_target(options.target)
    require_writable(output)
    progress(*_BUILDING, PERCENT)
    start = time.perf_counter()
    compiled = target.compile(graph, settings, part_of(progress, *_BUILDING, _TRYING[1]))
    build_seconds = time.perf_counter() - start
    progress(*_TRYING, PERCENT)
    tried = _try_engine(target, compiled, graph)
    manifest = _describe(options.target, compiled, graph, build_seconds)
    manifest = manifest.model_copy(
        update={"tried": tried, "precision_record": record, "automatic": automatic or AutomaticChoice()}
    )
    _write(output, compiled, manifest)
    progress(_TRYING[0], PERCENT, PERCENT)
    return manifest


def resolve_settings(metadata: ExportMetadata, source: Path, options: EngineOptions) -> EngineSettings:
    """Return the settings of an engine of the graph `source`, for a target that is not AUTO.

    Raises:
        SegppError: the graph, the target and the options do not fit together.
    """
    info = TARGETS[options.target]
    precision = require_runnable(info, metadata, source, options.precision)
    check_builder_options(options.builder, info.builder_options, str(info.name), metadata.batch)
    return EngineSettings(precision, require_threads(options.threads), options.builder)


def _describe(name: TargetName, compiled: CompiledEngine, graph: GraphFile, build_seconds: float) -> Manifest:
    return Manifest(
        target=name,
        payload=TARGETS[name].payload,
        runtime=compiled.runtime,
        precision=compiled.settings.precision,
        threads=compiled.settings.threads,
        builder=compiled.settings.builder,
        layer_types={kind: dict(formats) for kind, formats in compiled.layer_types.items()},
        tried=False,
        precision_record=None,
        source=str(graph.path),
        source_sha256=graph.sha256,
        engine_sha256=hashlib.sha256(compiled.data).hexdigest(),
        size_bytes=len(compiled.data),
        input=input_spec(graph.metadata),
        outputs=output_specs(graph.metadata),
        build_seconds=round(build_seconds, 3),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        metadata=graph.metadata,
    )


def _write(output: Path, compiled: CompiledEngine, manifest: Manifest) -> None:
    with atomic_path(manifest_path(output)) as temporary_manifest, atomic_path(output) as temporary:
        temporary.write_bytes(compiled.data)
        temporary_manifest.write_text(dump_manifest(manifest), encoding="utf-8")


def check_output(source: Path, output: Path) -> None:
    """Make sure that an engine built from `source` can be called `output`.

    Raises:
        SegppError: a directory, the source itself, or a suffix that stands for something else.
    """
    if output.is_dir() or manifest_path(output).is_dir():
        inside = commands.out(output / "model.engine")
        raise SegppError(f"{output} or its manifest is a directory.", "a file name.", inside)
    suggestion = commands.out(output.with_suffix(".engine"))
    if source.exists() and output.exists() and source.samefile(output):
        raise SegppError(f"The engine would overwrite its source {source}.", "another file name.", suggestion)
    if output.suffix in _FOREIGN_SUFFIXES:
        raise SegppError(
            f"An engine is one file, and not what {output.suffix} files hold.", "another suffix.", suggestion
        )


def _require_lowering(info: TargetInfo, metadata: ExportMetadata, source: Path) -> None:
    """Make sure that a target can run graphs of this lowering.

    Raises:
        SegppError: it cannot; with the command that exports the right one.
    """
    if metadata.lowering not in info.lowerings:
        wanted = info.lowerings[0]
        raise SegppError(
            f"{source} has the {metadata.lowering} lowering, which the target {info.name} cannot run.",
            f"the {wanted} lowering.",
            export_again(metadata, source, lowering=wanted),
        )


def require_runnable(
    info: TargetInfo, metadata: ExportMetadata, source: Path, requested: Precision | None
) -> Precision:
    """Return the precision the engine will have: the requested one, or the graph's.

    Raises:
        SegppError: the target cannot run graphs of this lowering, or not in this precision.
    """
    _require_lowering(info, metadata, source)
    precision = requested or metadata.precision
    in_graph = precision is metadata.precision and precision in info.graph_precisions
    by_runtime = metadata.precision is Precision.FP32 and precision in info.runtime_precisions
    if not (in_graph or by_runtime):
        raise SegppError(
            f"The target {info.name} cannot run {source}, whose precision is {metadata.precision}, in {precision}.",
            f"one of: {', '.join(map(str, info.precisions))}, from a graph in fp32.",
            commands.option("precision", Precision.FP32),
        )
    return precision


def _try_engine(target: Target, compiled: CompiledEngine, graph: GraphFile) -> bool:
    if not target.can_run(compiled):
        return False
    with closing(target.load(compiled.data, graph.metadata, compiled.settings, SessionOptions())) as session:
        outputs = session.run_all(noise_images(graph.metadata))
    for output, expected in zip(outputs, output_specs(graph.metadata), strict=True):
        if not expected.accepts(output.dtype.name, output.shape):
            found = f"{output.dtype} {format_shape(output.shape)}"
            raise _trial_error(graph, f"it put out {found}, not {expected}")
        if output.dtype.kind == "f" and not np.isfinite(output).all():
            raise _trial_error(graph, "it put out NaN or infinite values")
    if graph.metadata.output_kind.is_labels and int(outputs[0].max()) >= len(graph.metadata.classes):
        raise _trial_error(graph, f"it put out class {int(outputs[0].max())} of {len(graph.metadata.classes)}")
    return True


def _trial_error(graph: GraphFile, what: str) -> SegppError:
    return SegppError(
        f"The engine built from {graph.path} failed its trial run: {what}.",
        "a graph with finite weights that computes what its metadata says.",
        "Check the checkpoint and export it again.",
    )
