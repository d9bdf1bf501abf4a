"""The search space: what each stage and side may merge, the input sizes, the engines; every preset is a point of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

from segpp_deploy.config import Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, N1d, N2d, SideSpec, StageSpec, backbone_size
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind

Params = Mapping[str, str]
"""A point of the space: the name of a choice for each of its axes."""

SCALES = (7 / 8, 3 / 4, 5 / 8, 1 / 2)
"""Smaller inputs: honest rivals of merging."""

_SIZE_STEP_PX = 32  # the encoder's last stride
_RATIOS = {(2, 2): (0.4, 0.6, 0.7), (4, 4): (0.6, 0.8, 0.9), (8, 8): (0.9, 0.95)}
_POOLS = (N2d((2, 2)), N2d((1, 2)), N2d((2, 1)), N2d((4, 4)), N1d(2))
_FEW, _CELLS, _PAIRS = Bsm(0.9, (4, 4)), N2d((2, 2)), N2d((1, 2))
_EARLY: tuple[tuple[SideSpec, SideSpec], ...] = tuple(
    product((None, _CELLS, _PAIRS), (None, _FEW, Bsm(0.6, (2, 2)), _CELLS, N2d((4, 4))))
)
_LATE: tuple[tuple[SideSpec, SideSpec], ...] = (
    (None, None),
    (_CELLS, None),
    (_PAIRS, None),
    (_CELLS, _CELLS),
    (_FEW, None),
)
_DOWNSAMPLE, _INPUT, _ENGINE = "downsample", "input", "engine"
_NO, _YES = "no", "yes"


def _name_side(side: SideSpec) -> str:
    """Return the name of a choice, without what is an axis of its own."""
    if side is None:
        return "none"
    if isinstance(side, N1d):
        return f"n1d {side.stride}"
    stride = "x".join(map(str, side.stride_yx))
    return f"bsm {side.ratio:g} {stride}" if isinstance(side, Bsm) else f"n2d {stride}"


_MATCHED = tuple(Bsm(ratio, stride) for stride, ratios in _RATIOS.items() for ratio in ratios)
SIDES: dict[str, SideSpec] = {_name_side(side): side for side in (None, *_MATCHED, *_POOLS)}


@dataclass(frozen=True)
class SearchSpace:
    """The points between which a search chooses.

    Args:
        size: the full input size.
        engines: what computes; names are `str(kind)`.
    """

    size: Size
    engines: tuple[EngineKind, ...]

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the choices by axis."""
        axes: dict[str, tuple[str, ...]] = {}
        for stage in range(1, 5):
            axes |= {_axis(stage, "q"): tuple(SIDES), _axis(stage, "kv"): tuple(SIDES)}
            axes[_axis(stage, "match once")] = (_NO, _YES)
            axes[_axis(stage, "weighted")] = (_NO, _YES)
        axes[_INPUT] = (*map(str, self.sizes), *([_DOWNSAMPLE] if self._can_downsample else []))
        axes[_ENGINE] = tuple(map(str, self.engines))
        return axes

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """The full input size and the smaller ones, each once."""
        sides = [(_scaled(self.size.height, scale), _scaled(self.size.width, scale)) for scale in SCALES]
        smaller = [size for size in (Size(*pair) for pair in sides) if size.height * size.width < self._pixels]
        return tuple(dict.fromkeys([self.size, *smaller]))

    def candidate(self, params: Params) -> Candidate:
        """Return the candidate at a point; its plan has the name of a preset where it is one."""
        stages = [self._stage(params, stage) for stage in range(1, 5)]
        downsample = params[_INPUT] == _DOWNSAMPLE
        size = self.size if downsample else next(size for size in self.sizes if str(size) == params[_INPUT])
        engine = next(kind for kind in self.engines if str(kind) == params[_ENGINE])
        plan = MergePlan("", (stages[0], stages[1], stages[2], stages[3]), downsample)
        names = [str(preset) for preset, known in PRESETS.items() if replace(known, name="") == plan]
        return Candidate(replace(plan, name=names[0] if names else "tuned"), size, engine)

    def holds(self, params: Params) -> bool:
        """Whether this is a point of the space; one of an earlier search may name an engine that is gone."""
        return params.keys() == self.axes.keys() and all(params[axis] in names for axis, names in self.axes.items())

    def params(self, preset: Preset, engine: EngineKind) -> dict[str, str]:
        """Return the point of a preset at the full size."""
        plan = PRESETS[preset]
        params: dict[str, str] = {}
        for number, stage in enumerate(plan.stages, start=1):
            sides: Sequence[SideSpec] = (stage.q, stage.kv)
            reuses = any(isinstance(side, Bsm) and side.match_every == 0 for side in sides)
            params |= {_axis(number, "q"): _name_side(stage.q), _axis(number, "kv"): _name_side(stage.kv)}
            params[_axis(number, "match once")] = _YES if reuses else _NO
            is_weighted = stage.kv is not None and stage.kv.weighted
            params[_axis(number, "weighted")] = _YES if is_weighted else _NO
        return params | {_INPUT: _DOWNSAMPLE if plan.downsample else str(self.size), _ENGINE: str(engine)}

    def beginnings(self) -> Iterator[dict[str, str]]:
        """Yield points worth a look before anything is known: presets, and plans of averages and weighted matches.

        What queries average over cells costs little accuracy, and keys that are weighted hardly any. Queries are
        matched once per stage, which costs nothing; keys in every layer.
        """
        for engine in self.engines:
            yield from (self.params(preset, engine) for preset in self.presets())
            for early, late in product(_EARLY, _LATE):
                params: dict[str, str] = {}
                for number, (q, kv) in enumerate((early, early, late, late), start=1):
                    params |= {_axis(number, "q"): _name_side(q), _axis(number, "kv"): _name_side(kv)}
                    params[_axis(number, "match once")] = _YES if isinstance(q, Bsm) else _NO
                    params[_axis(number, "weighted")] = _YES if kv else _NO
                yield params | {_INPUT: str(self.size), _ENGINE: str(engine)}

    def presets(self) -> tuple[Preset, ...]:
        """Return the presets that the size allows, `original` first."""
        return tuple(preset for preset, plan in PRESETS.items() if self._can_downsample or not plan.downsample)

    @property
    def _pixels(self) -> int:
        return self.size.height * self.size.width

    @cached_property
    def _can_downsample(self) -> bool:
        try:
            backbone_size(PRESETS[Preset.DOWNSAMPLE], self.size.hw)
        except SegppError:
            return False
        return True

    def _stage(self, params: Params, stage: int) -> StageSpec:
        match_every = 0 if params[_axis(stage, "match once")] == _YES else 1

        def side(name: str) -> SideSpec:
            chosen = SIDES[params[_axis(stage, name)]]
            return replace(chosen, match_every=match_every) if isinstance(chosen, Bsm) else chosen

        kv = side("kv")
        if kv is not None and params[_axis(stage, "weighted")] == _YES:
            kv = replace(kv, weighted=True)
        return StageSpec(side("q"), kv)


def _axis(stage: int, name: str) -> str:
    return f"stage {stage} {name}"


def _scaled(side: int, scale: float) -> int:
    return max(_SIZE_STEP_PX, round(side * scale / _SIZE_STEP_PX) * _SIZE_STEP_PX)
