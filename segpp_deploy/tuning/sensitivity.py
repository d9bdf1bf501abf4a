"""Which groups of layers lose most when their precision is reduced: each group alone, against the float32 graph."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy.evaluation.evaluator import KeptReference
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.precision.layers import Layer
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.tuning.candidates import CandidateBench

IMAGES = 8
"""Pictures a group is judged on: the order of the groups matters here, not the figures."""

_STAGE = re.compile(r"(?:encoder\.stages|head\.stages|head\.stage_projections)\.(\d+)\.")


@dataclass(frozen=True)
class LayerGroup:
    """The layers of one kind in one stage: what is returned to a higher precision together."""

    name: str
    layers: frozenset[str]


@dataclass(frozen=True)
class GroupSensitivity:
    """A group, and the fraction of the predictions (pixels, keypoints) that change when it alone is reduced."""

    group: LayerGroup
    changed: float


def group_layers(layers: Sequence[Layer]) -> tuple[LayerGroup, ...]:
    """Group layers by stage and kind, in graph order."""
    members: dict[str, list[str]] = defaultdict(list)
    for layer in layers:
        stage = _STAGE.match(layer.name)
        name = f"stage {int(stage[1]) + 1} {layer.kind}" if stage else str(layer.kind)
        members[name].append(layer.name)
    return tuple(LayerGroup(name, frozenset(names)) for name, names in members.items())


def find_sensitivity(
    groups: Sequence[LayerGroup],
    recipe: PrecisionRecipe,
    bench: CandidateBench,
    reference: KeptReference[Any, Any],
    progress: Progress,
) -> tuple[GroupSensitivity, ...]:
    """Reduce each group alone and return the groups, the most sensitive first."""
    every_layer = frozenset().union(*(group.layers for group in groups))
    found = []
    for index, group in enumerate(groups):
        progress("Measuring the sensitivity of layers", index, len(groups))
        with bench.open(recipe.only(group.layers, every_layer)) as session:
            found.append(GroupSensitivity(group, 1 - reference.agreement(Predictor(session), IMAGES).value))
    progress("Measuring the sensitivity of layers", len(groups), len(groups))
    return tuple(sorted(found, key=lambda one: -one.changed))
