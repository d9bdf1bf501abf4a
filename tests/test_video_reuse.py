"""The benchmark of older matches: a graph whose matches are given, the films, and what the tables show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto

from benchmarks.measure import video_reuse
from benchmarks.measure.films import FILMS, PANNED_PX, SCENE_FRAMES, panned_films
from benchmarks.measure.given_matches import give_matches
from benchmarks.measure.video_reuse import match_share
from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.model.segformer import ModelSpec
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from tests.ops.cases import MatchCase
from tests.ops.portable_graphs import merging_graph, run_onnxruntime

ALL_MERGE = 9 * 11 - 3 * 3


@pytest.mark.parametrize("num_removed", [40, ALL_MERGE])
def test_given_matches_stay(num_removed: int) -> None:
    case = MatchCase((9, 11), (3, 3), num_removed, batch=1, channels=8, seed=1, ties=False)
    graph = merging_graph(case, TensorProto.FLOAT, case.batch)
    for node in graph.graph.node:  # as traced graphs are named
        node.name = node.name.replace("row_of_token", "token_match")
    first, later = case.tokens(), torch.flip(case.tokens(), [1])
    given = give_matches(graph, {"tokens": first.numpy()})
    onnx.checker.check_model(given, full_check=True)
    assert "TopK" in [node.op_type for node in graph.graph.node]
    assert "TopK" not in [node.op_type for node in given.graph.node]

    rows = token_match(first, *case.grid, *case.stride, case.num_removed)
    merged, log_size = token_merge_with_size(later, rows, case.num_rows)
    _, restored, log_sizes = run_onnxruntime(given, {"tokens": later.numpy()})
    np.testing.assert_allclose(restored, token_unmerge(merged, rows, later).numpy(), atol=1e-5)
    np.testing.assert_allclose(log_sizes, token_unmerge(log_size[..., None], rows).numpy(), atol=1e-5)


def test_films_pan() -> None:
    film = list(next(panned_films()))
    assert len(film) == SCENE_FRAMES
    assert film[0].image.shape == (*FILMS["panned scenes"].size.hw, 3)
    for earlier, later in pairwise(film):
        np.testing.assert_array_equal(earlier.image[:, PANNED_PX:], later.image[:, :-PANNED_PX])
        np.testing.assert_array_equal(earlier.labels[:, PANNED_PX:], later.labels[:, :-PANNED_PX])


def test_matching_is_little_of_the_work_where_it_is_done_once() -> None:
    spec, size = ModelSpec(Arch.B5, num_outputs=19), Size(1024, 1024)
    shares = {mode: match_share(spec, mode, size) for mode in (Preset.ORIGINAL, Preset.FAST, Preset.FAST_PLUS)}
    assert shares[Preset.ORIGINAL] == 0 < shares[Preset.FAST_PLUS] < 0.01 < shares[Preset.FAST] < 0.06


def test_tables_show_gain_and_cost() -> None:
    timed = {"part": "latency", "arch": "b0", "mode": "fast", "size": "360x480", "target": "cpu"}
    timed |= {
        "match_share": 0.0031,
        "usual_ms": 100.4,
        "given_ms": 97.4,
        "gain": 0.03,
        "gain_spread": 0.012,
        "agreement": 1.0,
        "passed": True,
    }
    judged = {"part": "accuracy", "data": "camvid", "mode": "fast", "age": 2, "frames": 99}
    judged |= {"agreement": 0.987, "own_miou": 0.62, "miou": 0.615}
    gains, costs = video_reuse.make_tables([timed, judged])
    assert gains.rows == (("B0", "fast", "360x480", "cpu", "0.3", "100", "97", "+3.0 ± 1.2"),)
    assert costs.rows == (("camvid", "fast", "2", "99", "98.700 %", "62.00 %", "61.50 %", "-0.50"),)
    assert video_reuse.row_key(timed) < video_reuse.row_key(judged)
