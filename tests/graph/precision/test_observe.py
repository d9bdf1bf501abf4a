"""What calibration looks at is the same whichever lowering it is given, and shown truthfully."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from segpp_deploy.config import Lowering, Preset
from segpp_deploy.graph.precision.layers import find_layers, tensor_name
from segpp_deploy.graph.precision.observe import EXTREMES, find_observed, show_extremes, show_values, split_by_size
from tests.graph.precision.conftest import SIZE, GraphMaker
from tests.support.exporting import smooth_pictures, to_bytes

MODES = [Preset.ORIGINAL, Preset.FAST, Preset.FAST_REUSE, Preset.HQ_PLUS, Preset.POOL_2X2]


@pytest.mark.parametrize("preset", MODES)
def test_both_lowerings_have_what_is_observed(preset: Preset, make_graph: GraphMaker) -> None:
    portable, plugin = (find_observed(make_graph(preset, lowering)) for lowering in Lowering)
    assert portable.of_layers == plugin.of_layers
    assert list(portable.source_of) == list(plugin.source_of)
    assert portable.source_of == plugin.source_of


@pytest.mark.parametrize("preset", MODES)
def test_every_layer_is_covered(preset: Preset, make_graph: GraphMaker) -> None:
    model = make_graph(preset)
    observed = find_observed(model)
    for layer in find_layers(model):
        assert {tensor_name(layer.input), tensor_name(layer.output)} <= observed.of_layers
    assert observed.of_layers <= observed.source_of.keys()
    assert set(observed.counted_sources) <= set(observed.sources)


def test_values_and_extremes(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.FAST)
    observed = find_observed(model)
    # some tensors are other layouts of one that is observed
    layout_of = {source: name for name, source in observed.source_of.items() if name != source}
    names, sources = list(layout_of.values()), list(layout_of)
    assert len(names) > 10
    proto = ir.to_proto(model)
    image = {"image": to_bytes(smooth_pictures(SIZE))}
    own = run(show_values(proto, names), image)
    extremes = np.array(run(show_extremes(proto, sources), image)).reshape(len(names), len(EXTREMES))
    for values, (highest, lowest, squares), source in zip(
        own, extremes, run(show_values(proto, sources), image), strict=True
    ):
        np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(source, axis=None))
        assert (values.max(), values.min()) == (highest, lowest)
        assert squares == pytest.approx(float(np.square(values, dtype=np.float64).sum()), rel=1e-3)


def test_the_given_graph_stays(make_graph: GraphMaker) -> None:
    proto = ir.to_proto(make_graph(Preset.ORIGINAL))
    before = proto.SerializeToString()
    show_values(proto, ["div"])
    show_extremes(proto, ["div"])
    assert proto.SerializeToString() == before


def run(proto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_parts_hold_what_fits(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    names = find_observed(model).counted_sources
    sizes = {value.name: 4 * math.prod(value.shape) for node in model.graph for value in node.outputs if value.shape}
    limit = 3 * max(sizes[name] for name in names)
    parts = split_by_size(model, names, limit)
    assert [name for part in parts for name in part] == list(names)
    assert 1 < len(parts) < len(names)
    assert all(sum(sizes[name] for name in part) <= limit for part in parts)
    assert split_by_size(model, names, 1) == tuple((name,) for name in names)
    assert split_by_size(model, (), 1) == ()
