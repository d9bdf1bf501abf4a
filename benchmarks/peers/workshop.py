"""The files that variants of one model at one size are loaded from; each is made when it is first asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.peers.pixels import finish, prepare
from benchmarks.peers.transformers_model import Transformers, published_form
from benchmarks.peers.variants import LEAST_AGREEMENT
from benchmarks.recording import ROOT
from segpp_deploy.config import Arch, Int8Layers, Precision, Preset, Size
from segpp_deploy.data.images import read_image
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.files import atomic_path
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support import camvid_data
from tests.support.exporting import PICTURE_TO_LABELS, export

LabelledFrame = tuple[NDArray[np.float32], NDArray[np.uint8]]

OPTIMUM = ROOT / "runs/optimum"
"""A folder of Python packages: optimum asks for an older transformers than the one that is measured."""

INSTALL_OPTIMUM = (
    f"pip install --no-deps --target {OPTIMUM.relative_to(ROOT)} optimum==2.1.0 optimum-onnx==0.1.0 "
    "transformers==4.57.6 'huggingface_hub<1' 'tokenizers<0.23' requests urllib3 idna certifi charset-normalizer"
)
CALIBRATION_IMAGES = 8
JUDGED_IMAGES = 2
MOST_DROP = 1 - LEAST_AGREEMENT[Precision.INT8]
"""The share of labels that NNCF's accuracy control lets change: what is asked of every int8 variant."""

MOST_RESTORED = 10
"""How many groups of layers it may take back from int8, which decides how long it searches."""


@dataclass(frozen=True)
class Workshop:
    """What is made for one model and size, in a folder of its own."""

    folder: Path
    arch: Arch
    size: Size

    @cached_property
    def picture(self) -> NDArray[np.uint8]:
        """What every variant labels: uint8 [H, W, 3], RGB."""
        return generate_scene(0, self.size).image

    def reference(self, mode: Preset) -> NDArray[np.uint8]:
        """Return the labels that PyTorch finds in float32, with our unfolded model in that mode."""
        path = self.folder / f"{mode}.npy"
        if not path.exists():
            model = published_form(self.arch)
            model.plan = PRESETS[mode]
            with torch.inference_mode(), atomic_path(path) as temporary:
                np.save(temporary, finish(model(prepare(self.picture)), self.size))
        labels: NDArray[np.uint8] = np.load(path)
        return labels

    def plain_export(self) -> Path:
        """Return transformers' model as `torch.onnx.export` writes it."""
        path = self.folder / "plain.onnx"
        if not path.exists():
            model, image = Transformers(published_form(self.arch)), torch.zeros(1, 3, *self.size.hw)
            torch.onnx.export(
                model, (image,), path, dynamo=True, input_names=["image"], verbose=False, external_data=False
            )
        return path

    def optimum_export(self) -> Path:
        """Return transformers' model as optimum writes it, with fixed shapes."""
        saved, exported = self.folder / "transformers", self.folder / "optimum"
        if not exported.exists():
            Transformers(published_form(self.arch)).inner.save_pretrained(saved)
            height, width = self.size.hw
            shape = f"height={height}, width={width}, batch_size=1, no_dynamic_axes=True, do_validation=False"
            script = (
                "from optimum.exporters.onnx import main_export; "
                f"main_export({str(saved)!r}, output={str(exported)!r}, task='semantic-segmentation', {shape})"
            )
            environment = {**os.environ, "PYTHONPATH": str(OPTIMUM)}
            subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
        return exported / "model.onnx"

    def nncf_int8(self) -> Path:
        """Return the plain export in int8, as NNCF's accuracy control leaves it on CamVid's frames."""
        path = self.folder / "nncf.xml"
        if not path.exists():
            import openvino

            openvino.save_model(self._quantise(openvino.Core().read_model(self.plain_export())), path)
        return path

    def _quantise(self, model: Any) -> Any:
        import nncf
        import openvino

        def label(compiled: Any, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
            return finish(torch.from_numpy(compiled(picture)[0]), self.size)

        def agreement(compiled: Any, judged: Iterable[LabelledFrame]) -> tuple[float, None]:
            return float(np.mean([np.mean(label(compiled, picture) == labels) for picture, labels in judged])), None

        float32 = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        judged = [(picture, label(float32, picture)) for picture in self._frames("val", JUDGED_IMAGES)]
        return nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(list(self._frames("train", CALIBRATION_IMAGES))),
            nncf.Dataset(judged, lambda pair: pair[0]),
            agreement,
            max_drop=MOST_DROP,
            model_type=nncf.ModelType.TRANSFORMER,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                max_num_iterations=MOST_RESTORED, ranking_subset_size=1
            ),
        )

    def _frames(self, split: str, count: int) -> Iterator[NDArray[np.float32]]:
        """Yield normalised float32 [1, 3, H, W], CamVid's frames in the size of the model."""
        paths = sorted((camvid_data.FRAMES / "images" / split).iterdir())
        for path in paths[:: len(paths) // count][:count]:
            pixels = cv2.resize(read_image(path), self.size.hw[::-1], interpolation=cv2.INTER_LINEAR)
            yield prepare(np.asarray(pixels, np.uint8)).numpy()

    def our_engine(self, target: TargetName, precision: Precision, mode: Preset) -> Path:
        """Return this tool's engine; int8 covers every layer of the recipe, with ranges found on CamVid's frames."""
        path = self.folder / f"{target}-{precision}-{mode}.engine"
        if not path.exists():
            calibration = None
            if precision is Precision.INT8:
                calibration = CalibrationOptions(f"camvid:{camvid_data.FRAMES}#train", images=CALIBRATION_IMAGES)
            options = BuildOptions(target, precision, calibration=calibration, int8_layers=Int8Layers.ALL)
            run_build(self._our_export(mode), path, options)
        return path

    def _our_export(self, mode: Preset) -> Path:
        path = self.folder / f"{mode}.onnx"
        if not path.exists():
            export(published_form(self.arch), mode, path, self.size, **PICTURE_TO_LABELS)
        return path
