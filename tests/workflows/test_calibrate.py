"""Calibration from pictures to the range file: the figures, their repeatability, and what is refused or warned of."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from segpp_deploy.cli.calibrate import calibrate as command
from segpp_deploy.cli.main import run_command
from segpp_deploy.config import (
    CalibrationMethod,
    InputKind,
    Lowering,
    Normalization,
    OutputKind,
    Precision,
    Preset,
    Size,
)
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import read_image, write_image, write_labels
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.ranges import format_ranges, read_ranges, tensors_unsafe_in_fp16
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, apply_recipe
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.tuning.calibration import calibrator
from segpp_deploy.tuning.calibration.options import CALIBRATION_IMAGES, CALIBRATION_METHOD, CalibrationOptions
from segpp_deploy.workflows.calibrate import run_calibrate
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, export
from tests.support.random_models import random_model
from tests.support.tiny_graphs import SIZE, tiny_metadata, tiny_model

WEIGHT = "model.encoder.stages.0.patch_embed.projection.weight"
BODY = f"""
    pixels = Cast <to = 1> (image)
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    features = Conv (planes, {WEIGHT.replace(".", "_")})
    logits = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (features)
"""
LOG_BODY = f"logs = Log (pixels)\n{BODY}"


def write_model(path: Path, body: str = BODY, weight: float = -2.0, **changes) -> Path:
    """A graph with one convolution, which multiplies the pixels by `weight`."""
    metadata = tiny_metadata(OutputKind.LOGITS, batch=changes.pop("batch", 1))
    model = tiny_model(replace(metadata, **changes), "")
    text = body.replace("logs = Log (pixels)", "")
    parsed = tiny_model(metadata, text)
    del model.graph.node[:]
    model.graph.node.extend(parsed.graph.node)
    for node in model.graph.node:
        node.input[:] = [WEIGHT if name == WEIGHT.replace(".", "_") else name for name in node.input]
    if "logs" in body:
        model.graph.node.insert(1, onnx.helper.make_node("Log", ["pixels"], ["logs"]))
    kernel = (np.eye(3, dtype=np.float32) * weight)[..., None, None]
    model.graph.initializer.append(numpy_helper.from_array(kernel, WEIGHT))
    onnx.save(onnx.shape_inference.infer_shapes(model), str(path))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model.onnx")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Twenty different pictures of the graph's size, the brightest pixel 200."""
    return write_pictures(tmp_path / "pictures", 20)


def write_pictures(folder: Path, count: int, size: Size = SIZE) -> Path:
    for number in range(count):
        picture = np.random.default_rng(number).integers(1, 200, (*size.hw, 3)).astype(np.uint8)
        picture[7 * number % size.height :] //= 2
        np.maximum(picture, 1, out=picture)
        picture[0, 0] = 200 if number == count - 1 else 1
        write_image(folder / f"{number:02}.png", picture)
    return folder


def run(model: Path, data: Path | str, method: CalibrationMethod = CalibrationMethod.MAX, images: int = 64):
    output = model.with_suffix(".yaml")
    result = run_calibrate(model, output, CalibrationOptions(str(data), images, method, threads=1))
    assert read_ranges(output) == result.calibration.ranges
    return result


def test_labels_that_do_not_fit_are_no_reason_to_refuse(model: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "set/images", 16)
    plain = run(model, tmp_path / "set/images").calibration.ranges
    assert run(model, f"folder:{tmp_path}/set").calibration.ranges.tensors == plain.tensors  # no labels at all
    for number in range(16):
        shape, value = ((8, 8), 0) if number else (SIZE.hw, 99)
        write_labels(tmp_path / f"set/labels/{number:02}.png", np.full(shape, value, np.uint8))
    found = run(model, f"folder:{tmp_path}/set").calibration
    assert found.ranges.tensors == plain.tensors
    assert any("labels of 16 calibration images cannot be used" in warning for warning in found.warnings)


def test_the_largest_values(model: Path, pictures: Path) -> None:
    result = run(model, pictures)
    ranges = result.calibration.ranges
    assert result.calibration.warnings == ()
    assert {name: (seen.amax, seen.max_abs) for name, seen in ranges.tensors.items()} == {
        "pixels": (None, 200.0),
        "planes": (200.0, 200.0),
        "features": (400.0, 400.0),
        "logits": (None, pytest.approx(ranges.tensors["logits"].max_abs)),
    }
    assert (ranges.mode, ranges.size, ranges.data, ranges.images.count) == ("original", SIZE.hw, "directory", 20)


@pytest.mark.parametrize("method", CalibrationMethod)
def test_methods_see_every_value_once(
    method: CalibrationMethod, model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = []

    class Spy(calibrator.AbsHistogram):
        def add(self, values: np.ndarray) -> None:
            counted.append(values.size)
            super().add(values)

    monkeypatch.setattr(calibrator, "AbsHistogram", Spy)
    tensors = run(model, pictures, method).calibration.ranges.tensors
    assert 50 < tensors["planes"].amax <= 200
    assert tensors["features"].amax == pytest.approx(2 * tensors["planes"].amax, rel=0.01)
    passes = 0 if method is CalibrationMethod.MAX else 20
    assert sum(counted) == passes * 2 * 3 * SIZE.height * SIZE.width


@pytest.mark.parametrize("batch", [None, 1, 8])
def test_a_fixed_batch_counts_no_image_twice(batch: int | None, pictures: Path, tmp_path: Path) -> None:
    results = []
    for size in (1, batch):
        path = write_model(tmp_path / "m.onnx", batch=size)
        results.append(run(path, pictures, CalibrationMethod.MSE).calibration.ranges)
    assert results[0] == results[1]


@pytest.mark.parametrize("method", CalibrationMethod)
def test_same_pictures_same_bytes(method: CalibrationMethod, model: Path, pictures: Path, tmp_path: Path) -> None:
    """Neither names, nor order, nor place, nor the run make a difference."""
    elsewhere = tmp_path / "elsewhere/other"
    elsewhere.mkdir(parents=True)
    for number, path in enumerate(sorted(pictures.iterdir(), reverse=True)):
        (elsewhere / f"frame{number:03}.png").write_bytes(path.read_bytes())
    texts = [format_ranges(run(model, data, method).calibration.ranges) for data in (pictures, pictures, elsewhere)]
    assert texts[0] == texts[1] == texts[2]
    assert str(tmp_path) not in texts[0]


def test_other_pictures_other_hash(model: Path, pictures: Path) -> None:
    before = run(model, pictures).calibration.ranges.images
    picture = read_image(pictures / "03.png")
    picture[0, 0, 0] ^= 1
    write_image(pictures / "03.png", picture)
    assert run(model, pictures).calibration.ranges.images.sha256 != before.sha256


@pytest.mark.parametrize("method", [CalibrationMethod.MAX, CalibrationMethod.MSE])
def test_nothing_is_kept_of_an_image(
    method: CalibrationMethod, model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When an image is run, all that was made of the images before it is gone."""
    alive: list[weakref.ref[np.ndarray]] = []
    original_run, original_prepare = calibrator.run_onnxruntime, calibrator.prepare

    def watched_run(session, batch):
        assert [reference() for reference in alive if reference() is not None] == []
        outputs = original_run(session, batch)
        alive.extend(map(weakref.ref, (*outputs, batch)))
        return outputs

    def watched_prepare(picture, *arguments):
        alive.append(weakref.ref(picture))
        return original_prepare(picture.copy(), *arguments)

    monkeypatch.setattr(calibrator, "run_onnxruntime", watched_run)
    monkeypatch.setattr(calibrator, "prepare", watched_prepare)
    run(model, pictures, method)
    assert len(alive) > 20


def test_parts_of_a_large_graph_give_the_same_ranges(
    model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(model, pictures, CalibrationMethod.MSE).calibration.ranges
    shown = []
    original = calibrator.show_values
    monkeypatch.setattr(calibrator, "show_values", lambda proto, names: shown.append(names) or original(proto, names))
    monkeypatch.setattr(calibrator, "MOST_SHOWN_BYTES", 1)
    assert run(model, pictures, CalibrationMethod.MSE).calibration.ranges == whole
    assert {len(names) for names in shown} == {1}
    assert len(shown) == len(whole.thresholds())


def test_images_are_spread_over_the_folder(model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    survey = calibrator.ImageSurvey.add
    monkeypatch.setattr(
        calibrator.ImageSurvey, "add", lambda self, name, *rest: names.append(name) or survey(self, name, *rest)
    )
    run(model, pictures, images=4)
    assert names == ["02.png", "07.png", "12.png", "17.png"]


def test_pictures_go_through_the_one_preparation(model: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "large", 2, Size(200, 130))
    seen = run(model, folder).calibration.ranges.tensors["pixels"].max_abs
    prepared = [prepare(read_image(path), SIZE, InputKind.UINT8, Normalization()) for path in folder.iterdir()]
    assert seen == max(int(picture.max()) for picture in prepared)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[Lowering, Path]:
    """B0 with random weights in mode fast."""
    folder, network = tmp_path_factory.mktemp("exported"), random_model(Dialect.MMSEG)
    paths = {lowering: folder / f"{lowering}.onnx" for lowering in Lowering}
    for lowering, path in paths.items():
        export(network, Preset.FAST, path, RAGGED, lowering=lowering, **PICTURE_TO_LABELS)
    return paths


def test_both_lowerings_give_one_file(exported: dict[Lowering, Path], tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 2)
    results = [run(path, pictures, CalibrationMethod.MSE) for path in exported.values()]
    texts = [format_ranges(result.calibration.ranges) for result in results]
    assert texts[0] == texts[1]


def test_every_calibrated_tensor_can_be_kept_in_float32(exported: dict[Lowering, Path], tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 1)
    ranges = run(exported[Lowering.PORTABLE], pictures).calibration.ranges
    recipe = PrecisionRecipe(Precision.FP16, keep_fp32=tensors_unsafe_in_fp16(ranges, bound=-1))
    assert len(recipe.keep_fp32) == len(ranges.tensors)
    for path in exported.values():
        apply_recipe(onnx.load(path), recipe)


def test_the_same_bytes_in_another_process(exported: dict[Lowering, Path], tmp_path: Path) -> None:
    path, pictures = exported[Lowering.PORTABLE], write_pictures(tmp_path / "pictures", 3)
    run(path, pictures, CalibrationMethod.ENTROPY)
    arguments = ["calibrate", str(path), "--data", str(pictures), "--method", "entropy", "--threads", "1"]
    output = tmp_path / "again.yaml"
    subprocess.run(
        [sys.executable, "-m", "segpp_deploy", *arguments, "-o", str(output)], check=True, capture_output=True
    )
    assert output.read_bytes() == path.with_suffix(".yaml").read_bytes()


def test_nan_names_tensor_and_image(pictures: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "nan.onnx", weight=float("nan"))
    with pytest.raises(SegppError, match=r"'features' holds NaN or infinite values for 00\.png"):
        run(path, pictures)


def test_infinity_names_tensor_and_image(pictures: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "log.onnx", LOG_BODY)
    picture = read_image(pictures / "07.png")
    picture[5, 5] = 0
    write_image(pictures / "07.png", picture)
    with pytest.raises(SegppError, match=r"'logs' holds NaN or infinite values for 07\.png"):
        run(path, pictures)
    assert not path.with_suffix(".yaml").exists()


def test_a_dead_tensor_is_named(pictures: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "dead.onnx", weight=0.0)
    result = run(path, pictures, CalibrationMethod.MSE)
    assert result.calibration.warnings == ("Zero on every image: features.",)
    assert result.calibration.ranges.thresholds()["features"] == 1.0


def test_black_pictures(model: Path, tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"black/{number}.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(SegppError, match="All 3 calibration images are of one colour"):
        run(model, tmp_path / "black")
    assert not model.with_suffix(".yaml").exists()


def test_a_graph_of_another_precision(pictures: Path, tmp_path: Path) -> None:
    path = write_model(tmp_path / "half.onnx", precision=Precision.FP16)
    with pytest.raises(SegppError, match="is in fp16"):
        run(path, pictures)


def test_an_output_that_cannot_be_written(model: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="is a directory"):
        run_calibrate(model, tmp_path, CalibrationOptions(str(pictures)))


def test_a_runtime_that_gives_up(model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, *arguments: object) -> None:
            raise RuntimeError("no\nmemory")

    monkeypatch.setattr(calibrator, "load_onnxruntime", lambda *arguments: Broken())
    with pytest.raises(SegppError, match="ONNX Runtime failed while it ran the graph: no memory"):
        run(model, pictures)


def test_json(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = write_pictures(tmp_path / "few", 3)
    output = tmp_path / "deep/er/ranges.yaml"
    assert run_command(["calibrate", str(model), "--data", str(pictures), "-o", str(output), "--json"]) == 0
    captured = capsys.readouterr()
    (warning,) = json.loads(captured.out).pop("warnings")
    assert json.loads(captured.out) == {
        "path": str(output),
        "images": 3,
        "method": str(CALIBRATION_METHOD),
        "tensors": 2,
        "warnings": [warning],
    }
    assert warning == "Only 3 calibration images; 16 or more are advised."
    assert f"Warning: {warning}" in captured.err
    assert output.exists()


def test_for_people(model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "ranges.yaml"
    arguments = ["calibrate", str(model), "--data", str(pictures), "-o", str(output), "--method", "percentile"]
    assert run_command(arguments) == 0
    captured = capsys.readouterr()
    assert "thresholds of 2 tensors of b0 original (percentile, 20 images)" in captured.out
    assert captured.err.splitlines() == ["Finding the largest values", "Counting values"]
    assert run_command([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_an_unknown_method(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["calibrate", str(model), "--data", "scenes:1", "-o", "a.yaml", "--method", "msee"]) == 2
    assert "Did you mean 'mse'?" in capsys.readouterr().err


def test_the_command_and_the_workflow_have_the_same_defaults() -> None:
    defaults = {name: parameter.default for name, parameter in inspect.signature(command).parameters.items()}
    assert defaults["images"] == CALIBRATION_IMAGES
    assert defaults["method"] == str(CALIBRATION_METHOD)


INTERRUPTED = """
import os, signal, sys
from segpp_deploy.cli.main import run_command
from segpp_deploy.tuning.calibration import calibrator
original = calibrator.run_onnxruntime
calls = []
def interrupted(*arguments):
    calls.append(1)
    if len(calls) == 23:  # in the second pass
        os.kill(os.getpid(), signal.SIGINT)
    return original(*arguments)
calibrator.run_onnxruntime = interrupted
raise SystemExit(run_command(sys.argv[1:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name == "nt", reason="POSIX signals")
def test_ctrl_c_leaves_nothing(model: Path, pictures: Path, tmp_path: Path) -> None:
    temporary, target = tmp_path / "temporary", tmp_path / "target"
    temporary.mkdir()
    target.mkdir()
    arguments = ["calibrate", str(model), "--data", str(pictures), "-o", str(target / "a.yaml"), "--method", "mse"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert process.returncode == 2, process.stderr
    assert "Interrupted; nothing was left half-written." in process.stderr
    assert "Traceback" not in process.stderr
    assert [*temporary.glob("*segpp*"), *target.iterdir()] == []  # ONNX Runtime keeps a file of its own there
