"""What stacks refuse, and that the commands in the errors make what they take."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.config import Fit, InputKind, LabelsLayout, OutputForm, OutputKind
from segpp_deploy.errors import CommandText, SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.packaging.registry import find_packager
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.runtimes.names import TargetName
from tests.support.command_lines import parse
from tests.support.plan_files import write_plan
from tests.support.tiny_graphs import tiny_metadata

FITS: dict[Stack, ExportMetadata] = {
    Stack.DEEPSTREAM: tiny_metadata(OutputKind.LABELS_INT32, InputKind.FLOAT255),
    Stack.ROS2: tiny_metadata(),
    Stack.ISAAC_ROS: replace(
        tiny_metadata(OutputKind.LABELS_INT64, InputKind.FLOAT), output_form=OutputForm(layout=LabelsLayout.NHWC)
    ),
}
of_tensorrt = pytest.mark.parametrize("stack", [Stack.DEEPSTREAM, Stack.ISAAC_ROS])


def refusal(stack: Stack, *engines: object) -> SegppError:
    with pytest.raises(SegppError) as caught:
        find_packager(stack)(engines, None)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize("stack", FITS)
def test_one_engine_of_a_segmentation_model(stack: Stack, tmp_path: Path) -> None:
    engine = write_plan(tmp_path / "a.engine", FITS[stack])
    assert "2 engines" in refusal(stack, engine, engine).what
    pose = write_plan(tmp_path / "pose.engine", tiny_metadata(OutputKind.HEATMAPS))
    assert "finds keypoints" in refusal(stack, pose).what


@of_tensorrt
def test_plans_of_tensorrt_only(stack: Stack, tmp_path: Path) -> None:
    error = refusal(stack, write_plan(tmp_path / "a.engine", FITS[stack], TargetName.TENSORRT_RTX))
    assert "payload tensorrt-rtx-plan" in error.what
    built = tmp_path / f"a-{stack}.engine"
    assert error.fix == f"segpp-deploy build-engine street.onnx --target tensorrt -o {built}"


CHANGES = {
    "input": {"input_kind": InputKind.UINT8},
    "output": {"output_kind": OutputKind.LOGITS},
    "batch": {"batch": 4},
}


@of_tensorrt
@pytest.mark.parametrize("name", CHANGES)
def test_exports_of_another_form(stack: Stack, name: str, tmp_path: Path) -> None:
    metadata = replace(FITS[stack], checkpoint="weights.pth", **CHANGES[name])
    error = refusal(stack, write_plan(tmp_path / "a.engine", metadata))
    assert name in error.what
    assert isinstance(error.fix, CommandText)
    export, build = error.fix.split(", then ")
    for line in (export, build):
        parse(shlex.split(line)[1:])
    assert f"street-{stack}.onnx" in export
    assert f"build-engine street-{stack}.onnx --target tensorrt" in build


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    metadata = replace(tiny_metadata(), checkpoint="weights.pth", fit=Fit.PAD)
    error = refusal(Stack.ISAAC_ROS, write_plan(tmp_path / "a.engine", metadata, TargetName.CPU))
    assert "payload onnx, input uint8, output labels, output layout nhw" in error.what
    assert error.expected == (
        "payload tensorrt-plan, input float, output labels-int32 or labels-int64, output layout nhwc."
    )
    assert error.fix == (
        "segpp-deploy export --checkpoint weights.pth --mode original --size 64x96 --input float --output labels-int32 "
        "--output-layout nhwc --fit pad -o street-isaac-ros.onnx, then segpp-deploy build-engine "
        f"street-isaac-ros.onnx --target tensorrt -o {tmp_path / 'a-isaac-ros.engine'}"
    )


def test_masks_of_bytes_number_255_classes(tmp_path: Path) -> None:
    metadata = replace(FITS[Stack.ISAAC_ROS], classes=tiny_metadata(num_classes=300).classes)
    error = refusal(Stack.ISAAC_ROS, write_plan(tmp_path / "a.engine", metadata))
    assert "300 classes" in error.what
    assert "--for ros2" in error.fix
