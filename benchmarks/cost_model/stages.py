"""What a whole stage costs in a merge mode, and the same stage unmerged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.model.arch import ARCH_SPECS, SPATIAL_REDUCTION
from segpp_deploy.model.plan import PRESETS, StageMerge, StageTokens, count_tokens, resolve_stage
from segpp_deploy.model.work import MERGING_PARTS, Kernel, LayerShape, Part, count_launches, layer_kernels, layer_shape
from segpp_deploy.tuning.search.peaks import LAUNCH_OVERHEAD_S, Peaks

BLOCK = (*MERGING_PARTS, Part.ATTENTION)
"""The parts that merging changes: the attention block."""

OF_MATCH_AND_MERGE = ("similarity", "select", "order", "mean")


@dataclass(frozen=True)
class StageCase:
    """One stage (from 0) of an encoder at an image size in a mode."""

    arch: Arch
    size: Size
    preset: Preset
    stage: int
    fused: bool = True

    @property
    def depth(self) -> int:
        """Layers in the stage."""
        return ARCH_SPECS[self.arch].depths[self.stage]

    @cached_property
    def tokens(self) -> StageTokens:
        """Token counts before and after merging."""
        return count_tokens(PRESETS[self.preset], self.size.hw)[self.stage]

    @cached_property
    def layers(self) -> tuple[tuple[Kernel, ...], ...]:
        """The kernels of each layer."""
        return tuple(
            tuple(layer_kernels(self.shape, self._merge, layer, fused=self.fused)) for layer in range(self.depth)
        )

    @cached_property
    def shape(self) -> LayerShape:
        """What its layers work on."""
        return layer_shape(ARCH_SPECS[self.arch], self.stage, self.tokens.grid)

    @cached_property
    def original(self) -> StageCase:
        """The same stage unmerged."""
        return StageCase(self.arch, self.size, Preset.ORIGINAL, self.stage, self.fused)

    @property
    def added_launches(self) -> int:
        """Launches of the stage beyond those of the unmerged one."""
        return count_launches(self.kernels(BLOCK)) - count_launches(self.original.kernels(BLOCK))

    @property
    def saved_launches(self) -> int:
        """Launches that a match and a merge of many tokens would have more: two each."""
        kernels = [kernel for kernel in self.kernels(MERGING_PARTS) if kernel.name in OF_MATCH_AND_MERGE]
        steps = sum(kernel.name in ("similarity", "mean") for kernel in kernels)
        return 2 * steps - count_launches(kernels)

    def break_even_launch(self, gpu: Peaks) -> float:
        """Return the seconds one launch may cost before the stage is no faster than unmerged; negative: never."""
        return (self.original.seconds(gpu) - self.seconds(gpu)) / self.added_launches

    @cached_property
    def _merge(self) -> StageMerge:
        spec = PRESETS[self.preset].stages[self.stage]
        return resolve_stage(spec, self.tokens.grid, SPATIAL_REDUCTION[self.stage])

    def seconds(self, gpu: Peaks, parts: Iterable[Part] = BLOCK, *, launches: bool = False) -> float:
        """Return the roofline time of the stage's kernels in `parts`, with or without launch overhead."""
        kernels = self.kernels(parts)
        overhead = LAUNCH_OVERHEAD_S * count_launches(kernels) if launches else 0.0
        return sum(gpu.seconds(kernel) for kernel in kernels) + overhead

    def gain(self, gpu: Peaks, *, launches: bool = False) -> float:
        """Return how many times as fast the stage's attention blocks are as the unmerged ones."""
        return self.original.seconds(gpu, launches=launches) / self.seconds(gpu, launches=launches)

    def kernels(self, parts: Iterable[Part]) -> list[Kernel]:
        """Return the kernels of all layers that belong to `parts`."""
        wanted = set(parts)
        return [kernel for layer in self.layers for kernel in layer if kernel.part in wanted]


def stage_cases(arch: Arch, size: Size, preset: Preset, *, fused: bool = True) -> list[StageCase]:
    """Return the four stages."""
    return [StageCase(arch, size, preset, stage, fused) for stage in range(4)]


def encoder_seconds(arch: Arch, size: Size, preset: Preset, gpu: Peaks, *, launches: bool = False) -> float:
    """Return the roofline time of all encoder layers: attention blocks and the rest."""
    return sum(case.seconds(gpu, Part, launches=launches) for case in stage_cases(arch, size, preset))
