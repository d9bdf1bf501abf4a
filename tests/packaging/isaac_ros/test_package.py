"""The folder for Isaac ROS: its launch file is executed with stand-ins that keep what nodes are given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.config import (
    ClassTable,
    Fit,
    InputKind,
    LabelsLayout,
    Lowering,
    Normalization,
    OutputForm,
    OutputKind,
)
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.packaging.isaac_ros.package import package_for_isaac_ros
from segpp_deploy.packaging.package import write_package
from tests.support.launch_files import Made, run_launch_file
from tests.support.plan_files import plugin_library, write_plan
from tests.support.tiny_graphs import tiny_metadata

METADATA = replace(
    tiny_metadata(OutputKind.LABELS_INT64, InputKind.FLOAT),
    output_form=OutputForm(layout=LabelsLayout.NHWC),
    classes=ClassTable(("road", "sky"), ((128, 64, 1), (0, 0, 255))),
)


def start(tmp_path: Path, metadata: ExportMetadata = METADATA) -> tuple[dict[str, str], dict[str, Made]]:
    """Return what the encoder is given, and the nodes by their plugins' last name."""
    engine = write_plan(tmp_path / "street.engine", metadata)
    write_package(tmp_path / "out", package_for_isaac_ros([engine], None), {})
    made = {action.kind: action for action in run_launch_file(tmp_path / "out/segmentation.launch.py")}
    assert made["SetEnvironmentVariable"].words == ("SEGPP_REGISTER_PLUGINS", "libnvinfer.so")
    nodes: Iterable[Made] = made["ComposableNodeContainer"].options["composable_node_descriptions"]
    encoder = dict(made["IncludeLaunchDescription"].options["launch_arguments"])
    assert encoder["component_container_name"] == made["ComposableNodeContainer"].options["name"]
    return encoder, {node.options["plugin"].rpartition(":")[2]: node for node in nodes}


def test_the_encoder_makes_what_the_engine_takes(tmp_path: Path) -> None:
    encoder, nodes = start(tmp_path)
    assert (encoder["network_image_height"], encoder["network_image_width"]) == ("64", "96")
    assert encoder["image_mean"] == "[0.485, 0.456, 0.406]"
    assert encoder["image_stddev"] == "[0.229, 0.224, 0.225]"
    assert encoder["keep_aspect_ratio"] == "False"
    assert [encoder["final_tensor_name"]] == nodes["TensorRTNode"].options["parameters"][0]["input_tensor_names"]


def test_the_engine_is_kept_and_bound(tmp_path: Path) -> None:
    encoder, nodes = start(tmp_path)
    (tensor_rt,) = nodes["TensorRTNode"].options["parameters"]
    assert Path(tensor_rt["engine_file_path"]) == tmp_path / "out/model.engine"
    assert Path(tensor_rt["engine_file_path"]).read_bytes() == (tmp_path / "street.engine").read_bytes()
    assert tensor_rt["force_engine_update"] is False
    assert tensor_rt["custom_plugin_lib"] == ""
    assert (tensor_rt["input_binding_names"], tensor_rt["output_binding_names"]) == (["image"], ["labels"])
    into, out = (dict(nodes[name].options["remappings"]) for name in ("TensorRTNode", "UNetDecoderNode"))
    assert encoder["tensor_output_topic"] == into["tensor_pub"]
    assert into["tensor_sub"] == out["tensor_sub"]


def test_the_decoder_colours_the_classes(tmp_path: Path) -> None:
    (decoder,) = start(tmp_path)[1]["UNetDecoderNode"].options["parameters"]
    assert decoder["color_palette"] == [0x804001, 0x0000FF]
    assert (decoder["network_output_type"], decoder["data_format"]) == ("argmax", "NHWC")
    assert (decoder["mask_height"], decoder["mask_width"]) == (64, 96)
    assert (tmp_path / "out/labels.txt").read_text() == "road\nsky\n"


def test_labels_come_first_of_several_outputs(tmp_path: Path) -> None:
    form = OutputForm("classes", LabelsLayout.NHWC, confidence=True)
    _, nodes = start(tmp_path, replace(METADATA, output_form=form))
    (tensor_rt,) = nodes["TensorRTNode"].options["parameters"]
    assert tensor_rt["output_binding_names"] == ["classes", "confidence"]
    assert len(tensor_rt["output_tensor_names"]) == 2


def test_plugins_come_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = plugin_library(tmp_path, monkeypatch)
    _, nodes = start(tmp_path, replace(METADATA, lowering=Lowering.PLUGIN))
    (tensor_rt,) = nodes["TensorRTNode"].options["parameters"]
    assert Path(tensor_rt["custom_plugin_lib"]).read_bytes() == library.read_bytes()


def test_another_normalisation_and_padded_pictures(tmp_path: Path) -> None:
    metadata = replace(METADATA, normalization=Normalization((0, 51, 255), (255, 127.5, 51)), fit=Fit.PAD)
    encoder, _ = start(tmp_path, metadata)
    assert (encoder["image_mean"], encoder["image_stddev"]) == ("[0.0, 0.2, 1.0]", "[1.0, 0.5, 0.2]")
    assert encoder["keep_aspect_ratio"] == "True"
    assert "padded by the encoder in black" in (tmp_path / "out/README.md").read_text()
