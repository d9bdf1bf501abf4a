"""What stacks demand of the engines that they load, and the commands that make one which fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import TaskName
from segpp_deploy.engine.export_again import export_again
from segpp_deploy.errors import CommandText, SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Payload

Demands = Mapping[str, Sequence[object]]
"""Options of `export`, and the values that a stack can do with; the first of them is what is suggested."""


def require_segmentation(engines: Sequence[PackagedEngine], stack: Stack) -> PackagedEngine:
    """Return the one engine.

    Raises:
        SegppError: there are several, or it is a pose model's.
    """
    first = engines[0]
    if len(engines) > 1:
        raise SegppError(
            f"{len(engines)} engines were named, and a package for {stack} runs one.",
            "one engine for each package.",
            commands.package(first.path, **{"for": stack}),
        )
    if first.manifest.metadata.task is not TaskName.SEG:
        raise SegppError(
            f"{first.path} finds keypoints; a package for {stack} publishes the class of every pixel.",
            "the engine of a segmentation model.",
            "Name one. Poses are found by `Predictor` from Python, which needs the persons' boxes too.",
        )
    return first


def require_target(engine: PackagedEngine, stack: Stack, targets: Iterable[TargetName]) -> None:
    """Check that a stack runs engines of a target.

    Raises:
        SegppError: it does not; the fix builds one for the first that it runs.
    """
    target, fitting = engine.manifest.target, tuple(targets)
    if target not in fitting:
        raise SegppError(
            f"{stack} cannot run {engine.path}: it was built for the target {target}.",
            f"an engine for one of: {', '.join(fitting)}.",
            commands.build_engine(engine.manifest.source, _beside(engine.path, stack), target=fitting[0]),
        )


def require_tensorrt(engine: PackagedEngine, stack: Stack, demands: Demands) -> None:
    """Check that a stack which loads TensorRT's plan files can load an engine and read what it puts out.

    Raises:
        SegppError: it cannot; all that does not fit is named, with the commands that export and build what does.
    """
    metadata = engine.manifest.metadata
    has = _options_of(metadata)
    wrong = {name: values for name, values in demands.items() if has[name] not in values}
    is_plan = engine.manifest.payload is Payload.TENSORRT_PLAN
    if is_plan and not wrong:
        return
    found = [f"{name.replace('_', ' ')} {has[name]}" for name in wrong]
    wanted = [f"{name.replace('_', ' ')} {' or '.join(map(str, values))}" for name, values in wrong.items()]
    if not is_plan:
        found.insert(0, f"payload {engine.manifest.payload}")
        wanted.insert(0, f"payload {Payload.TENSORRT_PLAN}")
    raise SegppError(
        f"{stack} cannot run {engine.path}: {', '.join(found)}.",
        f"{', '.join(wanted)}.",
        _commands_for(engine, stack, {name: values[0] for name, values in wrong.items()}),
    )


def _options_of(metadata: ExportMetadata) -> dict[str, object]:
    return {
        "input": metadata.input_kind,
        "output": metadata.output_kind,
        "output_layout": metadata.output_form.layout,
        "batch": metadata.batch or "dynamic",
    }


def _commands_for(engine: PackagedEngine, stack: Stack, changes: Mapping[str, object]) -> CommandText:
    """Return what exports and builds an engine that fits."""
    manifest = engine.manifest
    source, built = Path(manifest.source), _beside(engine.path, stack)
    if not changes:
        return commands.build_engine(source, built, target=TargetName.TENSORRT)
    graph = _beside(source, stack).with_suffix(".onnx")
    export = export_again(manifest.metadata, graph, **changes)
    return export + ", then " + commands.build_engine(graph, built, target=TargetName.TENSORRT)


def _beside(path: Path, stack: Stack) -> Path:
    """Return the name of a file that fits a stack, beside one that does not."""
    return path.with_name(f"{path.stem}-{stack}{path.suffix}")
