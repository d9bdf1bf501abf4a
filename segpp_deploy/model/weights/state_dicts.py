"""Find the SegFormers in a checkpoint: whatever wraps them, and whatever lies beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from segpp_deploy.model.dialects import TABLES, DialectTable, detect_table

Tensors = Mapping[str, torch.Tensor]

_MAX_DEPTH = 6
_MMCV_AVERAGE = "ema_"  # mmcv 1 keeps its second copy as buffers, ema_backbone_layers_0_...
_AVERAGED = re.compile(r"(^|[._])(ema|averaged?|averaging|swa|teacher)([._]|$)")
# losses and metrics that a head or a training module owns
_BESIDE = re.compile(r"(^|\.)(loss\w*|criterion\w*|metrics?\w*|confmat)\.")


@dataclass(frozen=True)
class StateDict:
    """The parameters of one model.

    Args:
        place: the keys that lead to the mapping they lie in, "" for the file itself.
        prefix: what was taken away before every name.
        table: the dialect.
        tensors: by the dialect's names.
        left_out: names in the same mapping that are no part of the model.
        is_averaged: a moving average of the weights.
    """

    place: str
    prefix: str
    table: DialectTable
    tensors: dict[str, torch.Tensor]
    left_out: tuple[str, ...]
    is_averaged: bool = False

    @property
    def name(self) -> str:
        """How users choose it: place and prefix."""
        return ".".join(part for part in (self.place, self.prefix.rstrip(".")) if part) or "the file's own names"

    @property
    def has_head(self) -> bool:
        """Whether it is more than a backbone."""
        return not self.table.is_backbone_only(list(self.tensors))


def all_names(content: Mapping[str, Any]) -> list[str]:
    """Return the names of all tensors, without what leads to them."""
    return [name for _, tensors in _mappings(content, "", 0) for name in tensors]


def find_state_dicts(content: Mapping[str, Any]) -> list[StateDict]:
    """Return every model whose names belong to a dialect, in the order of the file."""
    found: list[StateDict] = []
    for place, tensors in _mappings(content, "", 0):
        for prefix in _prefixes(tensors):
            found += _with_second_copy(_take(place, prefix, tensors), tensors)
    return _with_roles(found, content)


def _mappings(content: Mapping[Any, Any], place: str, depth: int) -> Iterator[tuple[str, Tensors]]:
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if tensors:
        yield place, tensors
    for key, value in content.items() if depth < _MAX_DEPTH else ():
        if isinstance(value, Mapping):
            yield from _mappings(value, f"{place}.{key}" if place else str(key), depth + 1)


def _prefixes(names: Tensors) -> list[str]:
    """Return what precedes the names of an encoder, for each encoder there is."""
    found: dict[str, None] = {}
    for table in TABLES.values():
        pattern = re.compile(rf"(?P<prefix>(?:[^.]+\.)*?)(?:{re.escape(table.encoder_prefix)})?{table.signature}")
        found.update(dict.fromkeys(match["prefix"] for name in names if (match := pattern.match(name))))
    return list(found)


def _take(place: str, prefix: str, tensors: Tensors) -> StateDict:
    under = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    table = detect_table(under)
    assert table is not None  # the prefix was found by this dialect's signature
    inside = {name: tensor for name, tensor in under.items() if _is_of_model(name, table)}
    kept = {prefix + name for name in inside}
    return StateDict(place, prefix, table, inside, tuple(name for name in tensors if name not in kept))


def _is_of_model(name: str, table: DialectTable) -> bool:
    """Names of a bare backbone lack the encoder's prefix, so that anything may belong to it."""
    if _BESIDE.search(name):
        return False
    is_plain = re.match(table.ignored, name) is not None or name.startswith((table.encoder_prefix, table.head_prefix))
    return is_plain or any(rule.theirs_pattern.fullmatch(table.encoder_prefix + name) for rule in table.rules)


def _with_second_copy(model: StateDict, tensors: Tensors) -> list[StateDict]:
    """Add the copy that mmcv 1 keeps under flattened names: after its hook it is the one that was not averaged."""
    flat = {name: _MMCV_AVERAGE + (model.prefix + name).replace(".", "_") for name in model.tensors}
    copies = {name: tensors[other] for name, other in flat.items() if other in tensors}
    if not copies:
        return [model]
    model = replace(model, left_out=tuple(name for name in model.left_out if name not in flat.values()))
    return [model, replace(model, place=f"{model.place}.ema_*".lstrip("."), tensors={**model.tensors, **copies})]


def _with_roles(found: list[StateDict], content: Mapping[str, Any]) -> list[StateDict]:
    """Say which ones are averaged.

    mmcv, mmengine and Lightning swap before they save: their `state_dict` is the average, and what is named after the
    average (or `current_model_state`) is the plain training state.
    """
    places = {model.place for model in found}
    has_flat_copy = any(place.endswith("ema_*") for place in places)
    swapped = (
        {"ema_state_dict"} if "message_hub" in content or "mmengine_version" in _keys(content.get("meta")) else set()
    )
    swapped |= {"current_model_state"} if "averaging_state" in content else set()
    if has_flat_copy or swapped & places:
        plain = {place for place in places if place in swapped or place.endswith("ema_*")}
        return [replace(model, is_averaged=model.place not in plain) for model in found]
    return [replace(model, is_averaged=_AVERAGED.search(model.name) is not None) for model in found]


def _keys(value: Any) -> set[str]:
    return set(map(str, value)) if isinstance(value, Mapping) else set()
