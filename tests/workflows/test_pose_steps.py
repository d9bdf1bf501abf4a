"""Every step for a pose model, on annotated persons: export, ranges, int8 behind the gate, flip test, keypoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import Inference, Int8Layers, OutputKind, Precision, Size, TaskName
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.tuning.gate_options import GateOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate
from tests.support.coco_files import person, write_coco

pytestmark = pytest.mark.slow
SIZE = Size(128, 96)
SOURCE = SeedSource(0, task=TaskName.POSE, num_outputs=17)


@pytest.fixture
def data(tmp_path: Path) -> str:
    boxes = [[5.0, 5.0, 30.0, 50.0], [30.0, 8.0, 45.0, 50.0], [-5.0, 10.0, 40.0, 60.0]]
    people = [person(number, 1 + number % 4, boxes[number % 3]) for number in range(8)]
    write_coco(tmp_path / "coco", people, pictures=4)
    return f"coco-pose:{tmp_path / 'coco'}"


def test_int8_behind_the_gate(data: str, tmp_path: Path) -> None:
    graph = run_export(ExportOptions(tmp_path / "pose.onnx", SOURCE, mode="fast", size=SIZE)).path
    built = run_build(
        graph,
        tmp_path / "pose.engine",
        BuildOptions(
            TargetName.CPU,
            Precision.INT8,
            calibration=CalibrationOptions(data, images=8),
            int8_layers=Int8Layers.ALL,
            gate=GateOptions(100.0, data, 8),
        ),
    )
    assert built.manifest.precision is Precision.INT8
    plain = run_validate(ValidateOptions(built.path, data))
    flipped = run_validate(ValidateOptions(built.path, data, inference=Inference.FLIP))
    assert plain.evaluation.samples == flipped.evaluation.samples == 8
    assert plain.findings[0].startswith("Flip test: off")
    assert flipped.findings[0].startswith("Flip test: on")
    assert "Boxes: those of the annotations." in plain.evaluation.notes
    assert plain.evaluation.headline.name == "PCK@0.1"
    assert plain.reference is not None
    assert 0 <= plain.reference.agreement[0].value <= 1


def test_keypoints_are_those_of_heatmaps(data: str, tmp_path: Path) -> None:
    results = []
    for kind in (OutputKind.HEATMAPS, OutputKind.KEYPOINTS):
        options = ExportOptions(tmp_path / f"{kind}.onnx", SOURCE, mode="fast", size=SIZE, output_kind=kind)
        engine = run_build(run_export(options).path, tmp_path / f"{kind}.engine", BuildOptions(TargetName.CPU)).path
        results.append(run_validate(ValidateOptions(engine, data)))
    heatmaps, keypoints = results
    assert keypoints.evaluation.to_dict() == heatmaps.evaluation.to_dict()
    assert keypoints.reference is not None
    assert keypoints.reference.agreement[0].value > 0.99
    assert not keypoints.reference.agreement[2].is_number, "there are no heatmaps to compare"
