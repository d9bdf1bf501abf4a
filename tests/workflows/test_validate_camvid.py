"""Real pictures through a real engine: export, build, validate against PyTorch, predict."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import Inference, OutputKind, Preset, Size
from segpp_deploy.data.images import read_image, read_labels, write_image
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.run import run_predict
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate

pytestmark = [pytest.mark.camvid, pytest.mark.slow]

CAMVID_SIZE = Size(360, 480)


def make_engine(folder: Path, weights: Path, mode: Preset, output: OutputKind, size: Size = CAMVID_SIZE) -> Path:
    graph = folder / f"{mode}.onnx"
    run_export(ExportOptions(graph, CheckpointSource(weights), mode=str(mode), size=size, output_kind=output))
    return run_build(graph, folder / f"{mode}.engine", BuildOptions(TargetName.CPU)).path


@pytest.mark.parametrize(
    ("mode", "least_agreement"),
    [
        (Preset.ORIGINAL, 0.999),
        (Preset.FAST_REUSE, 0.995),
        (Preset.FAST_PLUS, 0.995),
        (Preset.POOL_2X2, 0.995),
    ],
)
def test_engine_follows_torch_of_the_same_mode(
    mode: Preset, least_agreement: float, camvid_root: Path, camvid_weights: Path, tmp_path: Path
) -> None:
    engine = make_engine(tmp_path, camvid_weights, mode, OutputKind.LABELS)
    result = run_validate(ValidateOptions(engine, f"camvid:{camvid_root}", limit=3))
    reference = result.reference
    assert reference is not None
    agreement, logit_error = reference.agreement
    assert agreement.value >= least_agreement
    assert result.evaluation.headline.value == pytest.approx(reference.headline.value, abs=0.005)
    assert result.evaluation.headline.value > 0.4
    assert not logit_error.is_number


def test_logits_and_windows(camvid_root: Path, camvid_weights: Path, tmp_path: Path) -> None:
    engine = make_engine(tmp_path, camvid_weights, Preset.ORIGINAL, OutputKind.LOGITS, Size(320, 320))
    options = ValidateOptions(engine, f"camvid:{camvid_root}", 1, Inference.SLIDE)
    reference = run_validate(options).reference
    assert reference is not None
    agreement, logit_error = reference.agreement
    assert logit_error.value < 1e-3
    assert agreement.value > 0.999


def test_predicted_labels_have_the_pictures_size(camvid_root: Path, camvid_weights: Path, tmp_path: Path) -> None:
    engine = make_engine(tmp_path, camvid_weights, Preset.FAST_PLUS, OutputKind.LABELS)
    picture = read_image(sorted((camvid_root / "images/val").iterdir())[0])[:, ::2]
    assert picture.shape[:2] == (360, 240) != CAMVID_SIZE.hw
    write_image(tmp_path / "narrow.png", picture)
    run_predict(PredictOptions(engine, tmp_path / "narrow.png", tmp_path / "out", labels_png=True))
    labels = read_labels(tmp_path / "out/narrow_labels.png")
    assert labels.shape == picture.shape[:2]
    assert len(set(labels.ravel().tolist())) >= 4
