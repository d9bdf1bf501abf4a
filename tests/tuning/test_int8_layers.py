"""Layers for int8: what is slow in int8 is left out, the costliest first, each beside what is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.graph.precision.layers import Layer, LayerKind
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import no_progress
from segpp_deploy.tuning import int8_layers
from segpp_deploy.tuning.int8_layers import KindCost, leave_out_slower, measure_kinds, speedup_of
from tests.tuning.test_accuracy_gate import layer

LAYERS: tuple[Layer, ...] = (
    layer("a.depthwise", LayerKind.DEPTHWISE),
    layer("b.depthwise", LayerKind.DEPTHWISE),
    layer("a.expand", LayerKind.EXPAND),
    layer("a.query", LayerKind.QUERY),
    layer("a.key", LayerKind.KEY),
)
RECIPE = PrecisionRecipe(Precision.INT8, layers=frozenset(one.name for one in LAYERS) - {"a.key"})


def milliseconds(recipe: PrecisionRecipe | None) -> float:
    """Depthwise costs 5 each in int8; expand costs 2, but only beside a depthwise one."""
    if recipe is None:
        return 30
    depthwise = len(recipe.layers & {"a.depthwise", "b.depthwise"})
    return 20 + 5 * depthwise + (2 if depthwise and "a.expand" in recipe.layers else 0) - ("a.query" in recipe.layers)


class TimedBench:
    graph_bytes = 400 << 20  # two at a time

    @contextmanager
    def open(self, recipe: PrecisionRecipe | None) -> Iterator[float]:
        yield milliseconds(recipe)


@pytest.fixture(autouse=True)
def compare_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_layers, "compare_speeds", lambda baseline, others: [baseline / other for other in others])


def test_the_costliest_kind_comes_first() -> None:
    costs = measure_kinds(LAYERS, RECIPE, TimedBench(), no_progress)
    assert [one.kind for one in costs] == [LayerKind.DEPTHWISE, LayerKind.EXPAND, LayerKind.QUERY]
    assert costs[0].speedup_without == pytest.approx(31 / 19)
    assert costs[2].speedup_without == pytest.approx(31 / 32)
    assert not any(one.left_out for one in costs)


def test_a_kind_that_is_slow_only_beside_another_stays() -> None:
    costs = measure_kinds(LAYERS, RECIPE, TimedBench(), no_progress)
    recipe, decided = leave_out_slower(LAYERS, RECIPE, costs, TimedBench())
    assert recipe.layers == {"a.expand", "a.query"}
    assert [one.left_out for one in decided] == [True, False, False]
    assert decided[1].speedup_without == pytest.approx(1)


def test_nothing_is_left_out_for_noise() -> None:
    costs = [KindCost(LayerKind.DEPTHWISE, 1.01), KindCost(LayerKind.QUERY, 0.9)]
    recipe, decided = leave_out_slower(LAYERS, RECIPE, costs, TimedBench())
    assert recipe == RECIPE
    assert list(decided) == costs


def test_speed_beside_float32() -> None:
    assert speedup_of(RECIPE, None, TimedBench()) == pytest.approx(30 / 31)
