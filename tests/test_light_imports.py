"""Commands load the heavy libraries they use and no others: PyTorch alone takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "onnx_ir", "cv2", "av", "pillow_heif", "onnxruntime", "openvino", "matplotlib", "safetensors")
CPU_SESSION = ("segpp_deploy.runtimes.onnxruntime.cpu", "segpp_deploy.runtimes.onnxruntime.session")


@pytest.mark.parametrize(
    ("modules", "needed"),
    [
        (("segpp_deploy.workflows.predict.run", *CPU_SESSION), {"cv2"}),
        (("segpp_deploy.workflows.bench.run", *CPU_SESSION), set()),
        (("segpp_deploy.workflows.validate.run", *CPU_SESSION), {"cv2"}),
        (("segpp_deploy.workflows.export.options",), set()),
        (("segpp_deploy.workflows.calibrate",), {"cv2", "onnx_ir"}),
        (("segpp_deploy.workflows.build_engine.run", *CPU_SESSION), {"cv2", "onnx_ir"}),
        (("segpp_deploy.workflows.inspect.run", "segpp_deploy.workflows.doctor.run", *CPU_SESSION), set()),
        (("segpp_deploy.workflows.tune.options", "segpp_deploy.tuning.search.options"), set()),
        (("segpp_deploy.workflows.compare.options",), set()),
        (("segpp_deploy.engine.build", "segpp_deploy.graph.rewrites.onnxruntime"), {"onnx_ir"}),
    ],
    ids=[
        "predict",
        "bench",
        "validate",
        "export",
        "calibrate",
        "build-engine",
        "inspect and doctor",
        "tune",
        "compare",
        "building",
    ],
)
def test_only_what_is_needed_is_loaded(modules: tuple[str, ...], needed: set[str]) -> None:
    program = f"import sys, {', '.join(modules)}; print(*(name for name in {HEAVY} if name in sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert set(output.split()) <= needed


@pytest.mark.parametrize("module", ["names", "registry"])
def test_names_and_facts_of_targets_are_light(module: str) -> None:
    program = f"import sys, segpp_deploy.runtimes.{module}; print({{'numpy', 'onnx', 'pydantic'}} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"
