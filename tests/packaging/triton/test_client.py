"""The client prepares pictures and reads answers as we do. It shares no code with us: it is copied, and runs alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.config import Fit, InputKind, OutputKind, Size
from segpp_deploy.data.geometry.padded import PaddedFit
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import read_image, write_image
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.packaging.triton import client
from segpp_deploy.packaging.triton.client_facts import facts_of
from segpp_deploy.packaging.triton.served_model import ServedModel
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tasks.segmentation.prediction import PaddedPicture, labels_from_output
from tests.packaging.triton.conftest import BuildStub
from tests.support.tiny_graphs import SIZE, tiny_metadata

SIZES = [SIZE, Size(100, 100), Size(37, 211), Size(720, 1280)]
any_size = pytest.mark.parametrize("size", SIZES, ids=str)


def picture_of(size: Size) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*size.hw, 3), np.uint8)


def facts_for(build_stub: BuildStub, **changes: Any) -> client.Facts:
    metadata = replace(tiny_metadata(), **changes)
    engine = build_stub(TargetName.CPU, metadata)
    model = ServedModel("stub", (PackagedEngine(engine, read_manifest(engine)),))
    facts: client.Facts = json.loads(json.dumps(facts_of(model)))
    return facts


@pytest.mark.parametrize("kind", InputKind)
@any_size
def test_pictures_are_prepared_as_ours(kind: InputKind, size: Size, build_stub: BuildStub) -> None:
    facts, metadata = facts_for(build_stub, input_kind=kind), tiny_metadata(input_kind=kind)
    ours = prepare(picture_of(size), SIZE, kind, metadata.normalization)
    theirs = client.prepare(picture_of(size), facts)
    assert theirs.dtype == ours.dtype
    np.testing.assert_array_equal(theirs, ours)


@any_size
def test_pictures_are_padded_as_ours(size: Size, build_stub: BuildStub) -> None:
    facts, metadata = facts_for(build_stub, fit=Fit.PAD), replace(tiny_metadata(), fit=Fit.PAD)
    fit = PaddedFit(size, SIZE)
    window = client.window_of(picture_of(size), facts)
    assert (window.inner_hw, window.outer_hw) == (fit.inner.hw, fit.outer.hw)
    np.testing.assert_array_equal(
        client.prepare(picture_of(size), facts), fit.show(picture_of(size), metadata.normalization)
    )
    labels = np.random.default_rng(1).integers(0, 3, SIZE.hw, np.uint8)
    ours = PaddedPicture(picture_of(size), metadata).finish([labels]).labels
    np.testing.assert_array_equal(client.labels_of(labels, picture_of(size), facts), ours)


@pytest.mark.parametrize("channel", [(), (1,)], ids=["nhw", "nhwc"])
@any_size
def test_labels_are_resized_as_ours(size: Size, channel: tuple[int, ...], build_stub: BuildStub) -> None:
    labels = np.random.default_rng(1).integers(0, 3, (*SIZE.hw, *channel), np.int64)
    theirs = client.labels_of(labels, picture_of(size), facts_for(build_stub))
    np.testing.assert_array_equal(theirs, labels_from_output(labels, OutputKind.LABELS, size))
    assert theirs.dtype == np.uint8


@any_size
def test_logits_become_labels_as_ours(size: Size, build_stub: BuildStub) -> None:
    logits = np.random.default_rng(1).standard_normal((3, 16, 24), np.float32)
    theirs = client.labels_of(logits, picture_of(size), facts_for(build_stub, output_kind=OutputKind.LOGITS))
    ours = labels_from_output(logits, OutputKind.LOGITS, size)
    assert (theirs == ours).mean() > 0.999  # interpolated in another order


def test_pictures_are_read_as_ours(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", picture_of(SIZE))
    np.testing.assert_array_equal(client.read_picture(tmp_path / "a.png"), read_image(tmp_path / "a.png"))
    with pytest.raises(ValueError, match="cannot read"):
        client.read_picture(tmp_path / "missing.png")


def test_agreement() -> None:
    labels = np.zeros((1, 2, 5), np.uint8)
    other = labels.copy()
    other[0, 0, 0] = 1
    assert client.agreement([labels], [labels]) == 1
    assert client.agreement([labels], [other]) == 0.9
    logits = np.ones((1, 3, 2, 2), np.float32)
    assert client.agreement([logits], [logits + 1e-5]) == 1
    assert client.agreement([logits], [logits + 1]) == 0


def test_it_runs_without_us(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(Path(client.__file__).read_text())
    (tmp_path / "client.json").write_text("{}")
    statements = ast.parse(Path(client.__file__).read_text()).body
    imported = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in statements if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {"cv2", "numpy"}
    asked = subprocess.run(
        [sys.executable, tmp_path / "client.py", "a.jpg"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert asked.returncode == 2
    assert "No model None" in asked.stderr
