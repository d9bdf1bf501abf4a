"""Detect a dialect from parameter names, and translate state dicts to our names and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from segpp_deploy.errors import SegppError
from segpp_deploy.model.dialects.hugging_face import HUGGING_FACE, TRANSFORMERS
from segpp_deploy.model.dialects.mmseg import MMPOSE, MMPOSE_0, MMSEG
from segpp_deploy.model.dialects.nvlabs import NVLABS
from segpp_deploy.model.dialects.own import OWN
from segpp_deploy.model.dialects.rules import Dialect, DialectTable, Rule, fill
from segpp_deploy.model.segformer import SegFormer

Tensors = Mapping[str, torch.Tensor]

TABLES: dict[Dialect, DialectTable] = {
    table.dialect: table for table in (MMSEG, MMPOSE, MMPOSE_0, HUGGING_FACE, TRANSFORMERS, NVLABS, OWN)
}


@dataclass(frozen=True)
class Translation:
    """A state dict under our names.

    Args:
        table: the dialect it came from.
        tensors: by our names.
        unknown: names that no rule of the dialect matches.
    """

    table: DialectTable
    tensors: dict[str, torch.Tensor]
    unknown: tuple[str, ...]

    def their_name(self, our_name: str) -> str:
        """Return the dialect's name of one of our parameters."""
        rule, _, groups = _find_our_rule(self.table, our_name)
        return fill(rule.theirs, groups)


def detect_table(names: Iterable[str]) -> DialectTable | None:
    """Return the dialect that these parameter names belong to, or None.

    Example:
        >>> detect_table(["backbone.block1.0.attn.q.weight"]).title
        'NVlabs SegFormer'
    """
    names = list(names)
    for table in TABLES.values():
        signature = re.compile(f"({re.escape(table.encoder_prefix)})?{table.signature}")
        if any(signature.match(name) for name in names):
            return _told_apart_by_head(table, names)
    return None


def with_encoder_prefix(tensors: Tensors, table: DialectTable) -> dict[str, torch.Tensor]:
    """Name a bare backbone's parameters as in a whole model; other names stay."""
    signature = re.compile(table.signature)
    if not any(signature.match(name) for name in tensors):
        return dict(tensors)
    return {table.encoder_prefix + name: tensor for name, tensor in tensors.items()}


def to_canonical(tensors: Tensors, table: DialectTable) -> Translation:
    """Translate a state dict of the dialect `table` to our names; shapes are not checked here."""
    ignored = re.compile(table.ignored)
    translated: dict[str, torch.Tensor] = {}
    unknown = []
    for name, tensor in tensors.items():
        found = _find_their_rule(table, name)
        if found is not None:
            rule, groups = found
            parts = rule.decode(tensor)
            translated.update({fill(template, groups): part for template, part in zip(rule.ours, parts, strict=True)})
        elif not ignored.match(name):
            unknown.append(name)
    return Translation(table, translated, tuple(unknown))


def to_dialect(model: SegFormer, dialect: Dialect) -> dict[str, torch.Tensor]:
    """Return the model's state dict under the names and in the layout of `dialect`, as copies.

    Raises:
        SegppError: the dialect's head has batch norm and ReLU where the model's has none, or the reverse.
    """
    table = TABLES[dialect]
    if model.spec.normalised_stages != table.normalised_stages:
        kind = "with" if model.spec.normalised_stages else "without"
        raise SegppError(
            f"A head {kind} batch norm after its stage projections cannot be written as {table.title}.",
            f"a model with normalised_stages={table.normalised_stages}.",
            "Choose a dialect with the same kind of head: mmsegmentation and mmpose, or hugging-face and nvlabs.",
        )
    gathered: dict[str, tuple[Rule, dict[int, torch.Tensor]]] = {}
    for name, tensor in model.state_dict().items():
        rule, position, groups = _find_our_rule(table, name)
        gathered.setdefault(fill(rule.theirs, groups), (rule, {}))[1][position] = tensor.detach()
    return {
        name: rule.encode([parts[position] for position in sorted(parts)]).clone().contiguous()
        for name, (rule, parts) in gathered.items()
    }


def _told_apart_by_head(table: DialectTable, names: list[str]) -> DialectTable:
    """mmsegmentation and mmpose share the encoder; the head's name decides, and without a head it doesn't matter."""
    same_encoder = [other for other in TABLES.values() if other.signature == table.signature]
    return next((other for other in same_encoder if not other.is_backbone_only(names)), table)


def _find_their_rule(table: DialectTable, name: str) -> tuple[Rule, dict[str, str]] | None:
    for rule in table.rules:
        match = rule.theirs_pattern.fullmatch(name)
        if match is not None:
            return rule, match.groupdict()
    return None


def _find_our_rule(table: DialectTable, name: str) -> tuple[Rule, int, dict[str, str]]:
    for rule in table.rules:
        for position, pattern in enumerate(rule.ours_patterns):
            match = pattern.fullmatch(name)
            if match is not None:
                return rule, position, match.groupdict()
    raise AssertionError(f"the table of {table.title} has no rule for {name}")  # a bug in the table: tests cover all
