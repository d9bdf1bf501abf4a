"""Merge plans from and to YAML or JSON; unknown names and impossible numbers are errors that say where."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from segpp_deploy.config import Choice, Preset
from segpp_deploy.errors import SegppError, quote, suggest_name, unknown_name_error
from segpp_deploy.files import MalformedFileError, read_yaml, require_file
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, N1d, N2d, SideSpec, StageSpec

EXAMPLE = "stages: [{kv: {mode: bsm, ratio: 0.6, stride: [2, 2]}}, {}, {q: {mode: n2d, stride: [2, 2]}}, {}]"
EXAMPLE_WEIGHTED = "kv: {mode: bsm, ratio: 0.6, stride: [2, 2], weighted: true}"


class MergeMode(Choice):
    """The merge modes a plan file may name."""

    NONE = "none"
    BSM = "bsm"
    N1D = "n1d"
    N2D = "n2d"


_FIELDS: dict[MergeMode, tuple[str, ...]] = {
    MergeMode.NONE: (),
    MergeMode.BSM: ("ratio", "stride", "match_every", "weighted"),
    MergeMode.N1D: ("stride", "weighted"),
    MergeMode.N2D: ("stride", "weighted"),
}


def load_plan(mode: str) -> MergePlan:
    """Return the preset called `mode`, or the plan in the YAML file `mode`.

    Raises:
        SegppError: neither; the message lists the presets.

    Example:
        >>> load_plan("fast").name
        'fast'
    """
    if mode in {str(preset) for preset in Preset}:
        return PRESETS[Preset(mode)]
    if not mode.endswith((".yaml", ".yml")):
        raise unknown_name_error("mode", mode, [*(str(preset) for preset in Preset), "a plan file (*.yaml)"])
    path = require_file(Path(mode), "plan file (YAML)", f"Write one, for example: {EXAMPLE}")
    try:
        content = read_yaml(path)
    except MalformedFileError as error:
        raise SegppError(f"{path} is not YAML: {error}.", "a plan file.", f"For example: {EXAMPLE}") from error
    return parse_plan(content, name=path.stem, where=path.name)


def parse_plan(content: Any, name: str, where: str) -> MergePlan:
    """Build a plan from the content of a plan file.

    Args:
        content: `{stages: [4 x {q: side, kv: side}], downsample: bool}`.
        name: the plan's name.
        where: the file's name, for messages.
    """
    _require_mapping(content, where, ("stages", "downsample"))
    stages = content.get("stages")
    if not isinstance(stages, list) or len(stages) != 4:
        count = len(stages) if isinstance(stages, list) else "no"
        raise SegppError(f"{where} lists {count} stages.", "exactly four stages.", f"For example: {EXAMPLE}")
    downsample = _boolean(content, "downsample", where)
    specs = tuple(_parse_stage(stage, f"{where} (stage {index}") for index, stage in enumerate(stages, start=1))
    return MergePlan(name, specs, downsample)  # type: ignore[arg-type]


def plan_to_dict(plan: MergePlan) -> dict[str, Any]:
    """Return the content of a plan file that parses back to `plan`.

    Example:
        >>> parse_plan(plan_to_dict(PRESETS[Preset.FAST]), "fast", "memory") == PRESETS[Preset.FAST]
        True
    """
    stages = []
    for stage in plan.stages:
        sides = {"q": stage.q, "kv": stage.kv}
        stages.append({side: _side_to_dict(spec) for side, spec in sides.items() if spec is not None})
    return {"stages": stages, "downsample": plan.downsample}


def _side_to_dict(spec: Bsm | N1d | N2d) -> dict[str, Any]:
    return {**_mode_to_dict(spec), **({"weighted": True} if spec.weighted else {})}


def _mode_to_dict(spec: Bsm | N1d | N2d) -> dict[str, Any]:
    if isinstance(spec, Bsm):
        return {
            "mode": str(MergeMode.BSM),
            "ratio": spec.ratio,
            "stride": list(spec.stride_yx),
            "match_every": spec.match_every,
        }
    if isinstance(spec, N1d):
        return {"mode": str(MergeMode.N1D), "stride": spec.stride}
    return {"mode": str(MergeMode.N2D), "stride": list(spec.stride_yx)}


def _parse_stage(stage: Any, where: str) -> StageSpec:
    if stage is None:
        return StageSpec()
    _require_mapping(stage, where + ")", ("q", "kv"))
    q, kv = (_parse_side(stage.get(side), f"{where}, {side})") for side in ("q", "kv"))
    if q is not None and q.weighted:
        raise SegppError(
            f"weighted is true in {where}, q).",
            "weighted on key/value sides only: a key weighs what it stands for, queries have no weight.",
            "Remove it from q, or merge kv: " + EXAMPLE_WEIGHTED,
        )
    return StageSpec(q, kv)


def _parse_side(side: Any, where: str) -> SideSpec:
    if side is None or side == MergeMode.NONE:
        return None
    if isinstance(side, str):
        side = {"mode": side}
    if not isinstance(side, dict) or "mode" not in side:
        raise SegppError(
            f"{quote(side)} in {where} names no mode.", "a mapping with a mode.", f"For example: {EXAMPLE}"
        )
    names = [str(mode) for mode in MergeMode]
    if side["mode"] not in names:
        raise unknown_name_error("merge mode", str(side["mode"]), names, where)
    mode = MergeMode(side["mode"])
    _require_mapping(side, where, ("mode", *_FIELDS[mode]))
    weighted = _boolean(side, "weighted", where)
    if mode is MergeMode.BSM:
        match_every = _integer(side.get("match_every", 1), "match_every", where, minimum=0)
        return Bsm(_ratio(side.get("ratio"), where), _stride_yx(side.get("stride"), where), match_every, weighted)
    if mode is MergeMode.N1D:
        return N1d(_integer(side.get("stride"), "stride", where, minimum=1), weighted)
    if mode is MergeMode.N2D:
        return N2d(_stride_yx(side.get("stride"), where), weighted)
    return None


def _require_mapping(content: Any, where: str, known: tuple[str, ...]) -> None:
    if not isinstance(content, dict):
        raise SegppError(
            f"{where} holds {quote(content)}.", f"a mapping with {', '.join(known)}.", f"For example: {EXAMPLE}"
        )
    for key in content:
        if key not in known:
            raise SegppError(
                f"Unknown field {quote(key)} in {where}.",
                f"one of: {', '.join(known)}.",
                suggest_name(str(key), known) or "Remove the field.",
            )


def _boolean(content: dict[str, Any], field: str, where: str) -> bool:
    value = content.get(field, False)
    if not isinstance(value, bool):
        raise SegppError(f"{field} is {quote(value)} in {where}.", "true or false.", f"{field}: true")
    return value


def _ratio(value: Any, where: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value < 1:
        raise SegppError(
            f"ratio is {quote(value)} in {where}.", "a share of tokens to remove, 0 <= ratio < 1.", "ratio: 0.8"
        )
    return float(value)


def _integer(value: Any, field: str, where: str, minimum: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise SegppError(
            f"{field} is {quote(value)} in {where}.", f"a whole number >= {minimum}.", f"{field}: {minimum + 1}"
        )
    return value


def _stride_yx(value: Any, where: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise SegppError(f"stride is {quote(value)} in {where}.", "two whole numbers [y, x].", "stride: [2, 2]")
    y, x = (_integer(part, "stride", where, minimum=1) for part in value)
    return y, x
