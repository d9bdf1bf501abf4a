"""How one dialect's parameter names map to ours: a table of templates, applied in both directions.

Templates hold `{s}` (stage 0 .. 3), `{n}` (stage 1 .. 4), `{b}` (layer in the stage) and `{p}` (weight, bias ...).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

import torch

from segpp_deploy.config import Choice, TaskName
from segpp_deploy.model.arch import LayerNormEps

NUM_STAGES = 4


class Dialect(Choice):
    """Whose parameter names a checkpoint uses."""

    MMSEG = "mmsegmentation"
    MMPOSE = "mmpose"
    MMPOSE_0 = "mmpose-0"
    HUGGING_FACE = "hugging-face"
    TRANSFORMERS = "transformers"
    NVLABS = "nvlabs"
    OWN = "segpp-deploy"


class Layout(Enum):
    """How their tensor is laid out, where it is not as ours."""

    SAME = auto()
    POINTWISE_CONV = auto()  # theirs is a 1x1 convolution [O, I, 1, 1], ours a linear layer [O, I]
    LINEAR = auto()  # theirs is a linear layer [O, I], ours a 1x1 convolution [O, I, 1, 1]
    STAGE_4_FIRST = auto()  # their head concatenates the stages from 4 to 1, ours from 1 to 4


@dataclass(frozen=True)
class Rule:
    """One line of a table.

    Args:
        ours: template of our name; several, when their tensor stacks ours along the first axis.
        theirs: template of their name.
        layout: see `Layout`; it concerns the weight, biases are the same everywhere.
    """

    ours: tuple[str, ...]
    theirs: str
    layout: Layout = Layout.SAME

    @cached_property
    def theirs_pattern(self) -> re.Pattern[str]:
        """Matches their names."""
        return _compile(self.theirs)

    @cached_property
    def ours_patterns(self) -> tuple[re.Pattern[str], ...]:
        """Match our names, in stacking order."""
        return tuple(_compile(template) for template in self.ours)

    def decode(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Turn their tensor into ours; a tensor of an unexpected shape is passed on, and reported with its shape."""
        tensor = _decode_layout(tensor, self.layout)
        if len(self.ours) == 1 or tensor.shape[0] % len(self.ours):
            return [tensor] * len(self.ours)
        return list(tensor.chunk(len(self.ours)))

    def encode(self, tensors: list[torch.Tensor]) -> torch.Tensor:
        """Turn our tensors into theirs."""
        return _encode_layout(torch.cat(tensors) if len(tensors) > 1 else tensors[0], self.layout)


@dataclass(frozen=True)
class DialectTable:
    """Everything that is particular to one dialect.

    Args:
        dialect: the name.
        title: for messages.
        signature: matches the name of at least one encoder parameter, without `encoder_prefix`, and none of another
            dialect's.
        encoder_prefix: what precedes encoder names in a whole model; a bare backbone lacks it.
        head_prefix: what precedes head names.
        encoder: rules for names without the prefix.
        head: rules for names without the prefix.
        ignored: matches names in such files that no inference needs.
        normalised_stages: see `DecodeHead`.
        norm_eps: see `LayerNormEps`.
        task: what the head predicts.
    """

    dialect: Dialect
    title: str
    signature: str
    encoder_prefix: str
    head_prefix: str
    encoder: tuple[Rule, ...]
    head: tuple[Rule, ...]
    ignored: str
    normalised_stages: bool
    norm_eps: LayerNormEps = field(default_factory=LayerNormEps)
    task: TaskName = TaskName.SEG

    def is_backbone_only(self, names: list[str]) -> bool:
        """Say whether none of the head's parameters is there."""
        return not any(name.startswith(self.head_prefix) for name in names)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """All rules, with prefixes."""
        prefixed = [(self.encoder_prefix, rule) for rule in self.encoder]
        prefixed += [(self.head_prefix, rule) for rule in self.head]
        return tuple(Rule(rule.ours, prefix + rule.theirs, rule.layout) for prefix, rule in prefixed)


def rename(ours: str, theirs: str, layout: Layout = Layout.SAME) -> Rule:
    """Build the rule for a module whose parameters (`.weight`, `.bias` ...) keep their names."""
    return Rule((ours + ".{p}",), theirs + ".{p}", layout)


def stacked(ours: tuple[str, ...], theirs: str) -> Rule:
    """Build the rule for a parameter of theirs that stacks several of ours along the first axis."""
    return Rule(tuple(name + ".{p}" for name in ours), theirs)


def _compile(template: str) -> re.Pattern[str]:
    pattern = re.escape(template)
    for name, expression in (("s", r"\d"), ("n", r"\d"), ("b", r"\d+"), ("p", r"\w+")):
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{expression})")
    return re.compile(pattern)


def fill(template: str, groups: dict[str, str]) -> str:
    """Write a name from a template and what another template matched; `{s}` and `{n}` give each other.

    Example:
        >>> fill("block{n}.{b}.norm1.{p}", {"s": "0", "b": "2", "p": "bias"})
        'block1.2.norm1.bias'
    """
    values = dict(groups)
    if "n" in values:
        values["s"] = str(int(values["n"]) - 1)
    elif "s" in values:
        values["n"] = str(int(values["s"]) + 1)
    return template.format(**values)


def _decode_layout(tensor: torch.Tensor, layout: Layout) -> torch.Tensor:
    if layout is Layout.POINTWISE_CONV and tensor.dim() == 4 and tensor.shape[2:] == (1, 1):
        return tensor.flatten(1)
    if layout is Layout.LINEAR and tensor.dim() == 2:
        return tensor[:, :, None, None]
    if layout is Layout.STAGE_4_FIRST and tensor.dim() == 4 and tensor.shape[1] % NUM_STAGES == 0:
        return torch.cat(tensor.chunk(NUM_STAGES, dim=1)[::-1], dim=1)
    return tensor


def _encode_layout(tensor: torch.Tensor, layout: Layout) -> torch.Tensor:
    opposite = {Layout.POINTWISE_CONV: Layout.LINEAR, Layout.LINEAR: Layout.POINTWISE_CONV}
    return _decode_layout(tensor, opposite.get(layout, layout))  # reversing the stages is its own inverse
