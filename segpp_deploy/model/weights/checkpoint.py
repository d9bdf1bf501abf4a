"""Load a checkpoint of any dialect: architecture, classes and head width come from the weights, and are checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from segpp_deploy import commands
from segpp_deploy.config import Arch, Preset, TaskName
from segpp_deploy.errors import SegppError, some_names
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.dialects import (
    TABLES,
    Dialect,
    DialectTable,
    Translation,
    to_canonical,
    with_encoder_prefix,
)
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import FIRST_WEIGHT, ModelSpec, SegFormer
from segpp_deploy.model.weights.choice import choose_state_dict, describe_choice
from segpp_deploy.model.weights.foreign import foreign_family_error, require_no_adapters
from segpp_deploy.model.weights.hf_directory import read_hf_directory
from segpp_deploy.model.weights.hf_record import CONFIG_NAME, PROCESSOR_NAME, has_hf_record, read_hf_record
from segpp_deploy.model.weights.state_dicts import StateDict, all_names, find_state_dicts
from segpp_deploy.model.weights.training_record import TrainingRecord
from segpp_deploy.model.weights.weights_file import WeightsFile, read_weights_file

_OF_HUGGING_FACE = (TABLES[Dialect.HUGGING_FACE], TABLES[Dialect.TRANSFORMERS])
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A model with its weights, and what the file said about itself.

    Args:
        model: float32, in eval mode, plan `original`.
        dialect: whose parameter names the file uses.
        sha256: of the file; of the weights file in a directory.
        record: what the file, and Hugging Face's files around it, say of the training.
        notes: which weights were taken, and what was left out, in sentences for the user.
    """

    model: SegFormer
    dialect: Dialect
    sha256: str
    record: TrainingRecord
    notes: tuple[str, ...] = ()


def load_checkpoint(
    path: Path,
    *,
    arch: Arch | None = None,
    num_outputs: int | None = None,
    task: TaskName | None = None,
    weights: str | None = None,
) -> LoadedCheckpoint:
    """Load a .safetensors, .pth, .pt, .ckpt or .bin file, or a Hugging Face directory.

    Args:
        path: the file or directory.
        arch: what the user believes the backbone is; None to take what the weights show.
        num_outputs: what the user believes the number of classes or keypoints is.
        task: what the user believes the model does.
        weights: `ema`, `plain`, or the name of one of several models in the file; None for the average if there is one.

    Raises:
        SegppError: the file cannot be read safely, belongs to no dialect, has no head, disagrees with the user, or has
            missing, extra, misshapen or non-finite parameters.
    """
    stored = read_weights(path)
    found = _find_models(stored)
    chosen = choose_state_dict(found, weights, stored.where)
    table = chosen.table
    if not chosen.has_head:
        beside = f" Beside it: {some_names(chosen.left_out, 4)}." if chosen.left_out else ""
        raise SegppError(
            f"{path} holds a bare {table.title} backbone (ImageNet weights) and no segmentation or pose head.{beside}",
            "a checkpoint of a whole model.",
            "Train a head first, or give the checkpoint of a trained model.",
        )
    record, read_beside = _with_files_beside(stored, table, Path(path))
    translation = to_canonical(with_encoder_prefix(chosen.tensors, table), table)
    spec = _infer_spec(translation, arch, record, stored.where)
    _check_wishes(spec, arch, num_outputs, task, stored.where)
    _require_alignment(record, stored.where)
    model = _build_with(spec, translation, stored.where)
    notes = (*describe_choice(chosen, found), *read_beside)
    return LoadedCheckpoint(model, table.dialect, stored.sha256, record, notes)


def read_weights(path: Path) -> WeightsFile:
    """Read the tensors of a file or a Hugging Face directory and what it says of the training, untranslated."""
    path = Path(path)
    return read_hf_directory(path) if path.is_dir() else read_weights_file(path)


def _find_models(stored: WeightsFile) -> list[StateDict]:
    names = all_names(stored.content)
    require_no_adapters(names, stored.where)
    found = find_state_dicts(stored.content)
    foreign = foreign_family_error(names, stored.where) if not any(model.has_head for model in found) else None
    if foreign is not None:
        raise foreign
    if not found:
        raise SegppError(
            f"The parameter names in {stored.where} belong to no SegFormer: {some_names(names)}.",
            f"one of the dialects {', '.join(table.title for table in TABLES.values())}.",
            "Give a SegFormer or SegFormer++ checkpoint.",
        )
    return found


def _with_files_beside(stored: WeightsFile, table: DialectTable, path: Path) -> tuple[TrainingRecord, tuple[str, ...]]:
    """Complete a file's record by Hugging Face's JSON files in its folder, if it is one of theirs."""
    if path.is_dir() or table not in _OF_HUGGING_FACE or not has_hf_record(path.parent):
        return stored.record, ()
    files = [name for name in (CONFIG_NAME, PROCESSOR_NAME) if (path.parent / name).is_file()]
    return stored.record.or_else(read_hf_record(path.parent)), (f"Read beside it: {' and '.join(files)}.",)


def _require_alignment(record: TrainingRecord, where: str) -> None:
    if record.align_corners:
        raise SegppError(
            f"The head in {where} was trained with align_corners=True, which resizes in another way.",
            "align_corners=False, as in every published SegFormer.",
            "Train with align_corners=False: another resize would change every prediction.",
        )


def _infer_spec(translation: Translation, arch: Arch | None, record: TrainingRecord, where: str) -> ModelSpec:
    predict = translation.tensors.get("head.predict.weight")
    if predict is None or predict.dim() != 4:
        name = translation.their_name("head.predict.weight")
        raise SegppError(
            f"{where} lacks the last layer of the head, {name}.",
            f"{name} of shape [classes, width, 1, 1].",
            "Give the checkpoint of a whole model.",
        )
    _require_colours(translation, where)
    table = translation.table
    return ModelSpec(
        arch=_infer_arch(translation, arch, where),
        num_outputs=int(predict.shape[0]),
        head_channels=int(predict.shape[1]),
        normalised_stages=table.normalised_stages,
        task=record.task or table.task,
        norm_eps=table.norm_eps,
    )


def _require_colours(translation: Translation, where: str) -> None:
    embedding = translation.tensors.get(FIRST_WEIGHT)
    if embedding is not None and embedding.dim() == 4 and embedding.shape[1] != 3:
        raise SegppError(
            f"The network in {where} takes {embedding.shape[1]} channels.",
            "3 channels: red, green and blue.",
            "Train it on RGB pictures; depth, thermal and infrared channels have no place in the graph's input.",
        )


def _infer_arch(translation: Translation, wanted: Arch | None, where: str) -> Arch:
    """Compare depths and the first width with the known backbones."""
    matches = (re.match(r"encoder\.stages\.(\d)\.layers\.(\d+)\.", name) for name in translation.tensors)
    layers = {(int(match[1]), int(match[2])) for match in matches if match}
    depths = tuple(1 + max((b for s, b in layers if s == stage), default=-1) for stage in range(4))
    embedding = translation.tensors.get(FIRST_WEIGHT)
    width = None if embedding is None else int(embedding.shape[0])
    for arch, spec in ARCH_SPECS.items():
        if spec.depths == depths and width in (spec.widths[0], None):
            return arch
    if wanted is not None:  # the list of missing parameters will say more
        return wanted
    known = "; ".join(f"{a}: {'-'.join(map(str, s.depths))}, {s.widths[0]}" for a, s in ARCH_SPECS.items())
    raise SegppError(
        f"The encoder in {where} has {'-'.join(map(str, depths))} layers and {width} channels: no known backbone.",
        f"layers per stage and first width of one of {known}.",
        "Give a SegFormer checkpoint with a MiT-B0 .. B5 backbone.",
    )


def _check_wishes(
    spec: ModelSpec, arch: Arch | None, num_outputs: int | None, task: TaskName | None, where: str
) -> None:
    _check_wish("arch", str(spec.arch), None if arch is None else str(arch), where)
    if not (spec.is_binary and num_outputs == 2):  # in mmsegmentation's words: num_classes=2, out_channels=1
        _check_wish("num-classes", str(spec.num_outputs), None if num_outputs is None else str(num_outputs), where)
    _check_wish("task", str(spec.task), None if task is None else str(task), where)


def _check_wish(option: str, found: str, wanted: str | None, where: str) -> None:
    if wanted is not None and wanted != found:
        raise SegppError(
            f"The weights in {where} say {option} {found}; {wanted} was asked for.",
            f"{commands.option(option, found)}, or none: it is read from the weights.",
            commands.option(option, found),
        )


def _build_with(spec: ModelSpec, translation: Translation, where: str) -> SegFormer:
    with torch.device("meta"):  # no random weights that would be thrown away
        model = SegFormer(spec, PRESETS[Preset.ORIGINAL])
    _fill(model, translation, where)
    return model.eval()


def _fill(model: SegFormer, translation: Translation, where: str) -> None:
    """Check every parameter and load them; batch counters, which inference never reads, may be absent."""
    expected = model.state_dict()
    counters = {name: torch.zeros((), dtype=torch.int64) for name in expected if name.endswith("num_batches_tracked")}
    tensors = {**counters, **translation.tensors}
    _check_parameters(expected, tensors, translation, where)
    loaded = {
        name: tensor.to(torch.float32 if name not in counters else torch.int64, copy=True)
        for name, tensor in tensors.items()
    }
    model.load_state_dict(loaded, strict=True, assign=True)


def _check_parameters(
    expected: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor], translation: Translation, where: str
) -> None:
    theirs = translation.their_name
    missing = [theirs(name) for name in expected if name not in tensors]
    extra = [theirs(name) for name in tensors if name not in expected] + list(translation.unknown)
    shared = [name for name in expected if name in tensors]
    misshapen = [
        f"{theirs(name)} {list(tensors[name].shape)} for {list(expected[name].shape)}"
        for name in shared
        if tensors[name].shape != expected[name].shape
    ]
    listed = {"missing": missing, "extra": extra, "misshapen": misshapen}
    problems = [f"{len(set(names))} {kind} ({some_names(names)})" for kind, names in listed.items() if names]
    if problems:
        raise SegppError(
            f"The weights in {where} don't fit a {translation.table.title} SegFormer: {'; '.join(problems)}.",
            "exactly the parameters of one model.",
            "Check that the file is complete and is a SegFormer or SegFormer++ checkpoint.",
        )
    _check_values([(theirs(name), tensors[name]) for name in shared if expected[name].is_floating_point()], where)


def _check_values(tensors: list[tuple[str, torch.Tensor]], where: str) -> None:
    """Check (their name, tensor) pairs; names repeat where one of their tensors was split into several of ours."""
    other = [f"{name} {tensor.dtype}" for name, tensor in tensors if tensor.dtype not in _FLOATS]
    if other:
        raise SegppError(
            f"The weights in {where} are no floating-point numbers: {some_names(other)}.",
            "float32, float16 or bfloat16 weights.",
            "Give the checkpoint from before it was quantised.",
        )
    broken = dict.fromkeys(name for name, tensor in tensors if not bool(torch.isfinite(tensor).all()))
    if broken:
        raise SegppError(
            f"{len(broken)} tensors in {where} hold NaN or infinite values: {some_names(broken)}.",
            "finite weights.",
            "The training diverged or the file is damaged: use an earlier checkpoint.",
        )
