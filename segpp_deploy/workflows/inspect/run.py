"""What a file is, and whether it runs here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from onnx import ModelProto

from segpp_deploy import commands
from segpp_deploy.config import Preset, Size, TaskName
from segpp_deploy.engine.build import require_runnable
from segpp_deploy.engine.manifest import manifest_path, read_manifest
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.files import MalformedFileError, read_yaml, sha256_of
from segpp_deploy.graph.graph_file import graph_tensor, load_model, read_graph
from segpp_deploy.model.plan import count_tokens, explain_plan
from segpp_deploy.model.plan_file import load_plan, plan_to_dict
from segpp_deploy.model.weights.cards import CARD_SUFFIXES, list_cards, load_card
from segpp_deploy.model.weights.source import CHECKPOINT_SUFFIXES
from segpp_deploy.model.weights.training_record import TrainingRecord
from segpp_deploy.runtimes.registry import TARGETS, open_target
from segpp_deploy.runtimes.target import TargetInfo
from segpp_deploy.workflows.inspect.result import FileKind, InspectResult, RunsHere

DEFAULT_PLAN_SIZE = Size(1024, 1024)


def run_inspect(file: str, size: Size | None = None) -> InspectResult:
    """Describe an exported graph, an engine, a checkpoint, a plan or a model card.

    Args:
        file: a path; also the name of a preset mode or of a model card.
        size: image size for which a plan's tokens are counted.

    Raises:
        SegppError: the file is none of these, or it is damaged.
    """
    return _READERS[detect_kind(file)](file, size or DEFAULT_PLAN_SIZE)


def detect_kind(file: str) -> FileKind:
    """Return what `file` looks like, from its neighbours, its suffix and its first bytes.

    Raises:
        SegppError: it looks like nothing we know.
    """
    path = Path(file)
    if not path.exists():
        return _kind_of_name(file)
    if path.is_dir() or path.suffix in CHECKPOINT_SUFFIXES:
        return FileKind.CHECKPOINT
    if path.suffix in CARD_SUFFIXES:
        return FileKind.PLAN if _is_plan(path) else FileKind.CARD
    if manifest_path(path).exists() or path.suffix in (".engine", ".json"):
        return FileKind.ENGINE
    if path.suffix == ".onnx":
        return FileKind.GRAPH
    try:
        load_model(path)
    except SegppError:
        raise _unknown(f"{file} is no file that this program writes or reads.") from None
    return FileKind.GRAPH


def _kind_of_name(name: str) -> FileKind:
    if name in [str(preset) for preset in Preset]:
        return FileKind.PLAN
    if name in list_cards():
        return FileKind.CARD
    raise _unknown(f"No such file: {name}.")


def _unknown(what: str) -> SegppError:
    return SegppError(
        what,
        "an exported .onnx, an engine, a checkpoint, a plan or model card (.yaml), or the name of a mode or card.",
        commands.inspect(),
    )


def _is_plan(path: Path) -> bool:
    try:
        content = read_yaml(path)
    except MalformedFileError:
        return False  # the card's reader will say what is wrong
    return isinstance(content, dict) and "stages" in content


def _read_onnx(file: str, size: Size) -> InspectResult:
    path = Path(file)
    try:
        graph = read_graph(path)
    except SegppError as error:
        facts = _graph_facts(path, load_model(path), sha256_of(path))
        return InspectResult(file, FileKind.GRAPH, facts, (RunsHere("any target", False, error.what, error.fix),))
    metadata = graph.metadata
    return InspectResult(
        file,
        FileKind.GRAPH,
        {**_graph_facts(path, graph.model, graph.sha256), "metadata": metadata.to_dict()},
        tuple(
            _try(f"target {info.name}", lambda info=info: _require_target(info, metadata, path))  # type: ignore[misc]
            for info in TARGETS.values()
        ),
    )


def _graph_facts(path: Path, model: ModelProto, sha256: str) -> dict[str, Any]:
    operations: dict[str, int] = {}
    for node in model.graph.node:
        name = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
        operations[name] = operations.get(name, 0) + 1
    return {
        "size_bytes": path.stat().st_size,
        "sha256": sha256,
        "inputs": [str(graph_tensor(value)) for value in model.graph.input],
        "outputs": [str(graph_tensor(value)) for value in model.graph.output],
        "opsets": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "operations": dict(sorted(operations.items(), key=lambda entry: (-entry[1], entry[0]))),
    }


def _require_target(info: TargetInfo, metadata: Any, path: Path) -> None:
    open_target(info.name)
    require_runnable(info, metadata, path, None)


def _read_engine(file: str, size: Size) -> InspectResult:
    engine = Path(file)
    manifest = read_manifest(engine)
    return InspectResult(
        file, FileKind.ENGINE, manifest.to_dict(), (_try("this engine", lambda: verify_engine(engine)),)
    )


def _read_checkpoint(file: str, size: Size) -> InspectResult:
    from segpp_deploy.model.weights.checkpoint import load_checkpoint  # loads torch, which no other kind of file needs

    loaded = load_checkpoint(Path(file))
    spec = loaded.model.spec
    facts = {
        "sha256": loaded.sha256,
        "dialect": str(loaded.dialect),
        "arch": str(spec.arch),
        "task": str(spec.task),
        "outputs": spec.num_outputs,
        "head_channels": spec.head_channels,
        "parameters": sum(parameter.numel() for parameter in loaded.model.parameters()),
        **_training_facts(loaded.record, spec.num_outputs, spec.task),
        "notes": list(loaded.notes),
    }
    return InspectResult(
        file, FileKind.CHECKPOINT, facts, next_step=commands.export(None, "model.onnx", checkpoint=file)
    )


def _read_plan(file: str, size: Size) -> InspectResult:
    plan = load_plan(file)
    facts = {
        "mode": plan.name,
        "size": list(size.hw),
        "plan": plan_to_dict(plan),
        "tokens": [asdict(stage) for stage in count_tokens(plan, size.hw)],
        "notes": list(explain_plan(plan, size.hw)),
    }
    return InspectResult(file, FileKind.PLAN, facts)


def _read_card(file: str, size: Size) -> InspectResult:
    facts = load_card(file).model_dump(mode="json")
    return InspectResult(file, FileKind.CARD, facts, next_step=commands.export(file, "model.onnx"))


def _try(subject: str, check: Callable[[], object]) -> RunsHere:
    try:
        check()
    except SegppError as error:
        return RunsHere(subject, False, error.what, error.fix)
    return RunsHere(subject, True)


_READERS: dict[FileKind, Callable[[str, Size], InspectResult]] = {
    FileKind.GRAPH: _read_onnx,
    FileKind.ENGINE: _read_engine,
    FileKind.CHECKPOINT: _read_checkpoint,
    FileKind.PLAN: _read_plan,
    FileKind.CARD: _read_card,
}


def _training_facts(record: TrainingRecord, outputs: int, task: TaskName) -> dict[str, Any]:
    """Return what the checkpoint says of its training, and what an export of it would assume."""
    return {
        "classes": list(record.classes) if record.classes else None,
        "normalization": {"mean": record.mean, "std": record.std} if record.mean and record.std else None,
        "channel_order": record.channel_order,
        "size": list(record.size.hw) if record.size else None,
        "threshold": record.threshold,
        "reduce_labels": record.reduce_labels,
        "keypoints": asdict(record.keypoints) if record.keypoints else None,
        "assumed": list(replace(record, task=task).assumed(outputs)),
    }
