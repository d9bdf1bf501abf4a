"""The ROS 2 package's node in ROS itself: rclpy and Fast DDS from PyPI, without an installation of ROS.

    python -m benchmarks.toolchain.ros2_node [ENGINE]     100 pictures in, 100 masks out

The exit code is 1 if anything differs from what it should be.

The environment lies below SEGPP_CACHE and is made once; its Python has to be one that the wheels were built for. What
segpp-deploy needs is taken from the environment that this runs in. Without ENGINE, the shipped model's is built.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import make_parser
from benchmarks.recording import ROOT
from benchmarks.toolchain.ros2_talker import make_picture
from segpp_deploy.config import Size
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import cache_folder
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.run import run_package

PACKAGES = ("ros-rclpy", "ros-sensor-msgs", "ros-std-msgs", "ros-rmw-fastrtps-cpp")
_PICTURES = 100
_TIMEOUT_S = 90.0
_END_S = 20.0
_READY = "ready"


def folder() -> Path:
    """Return where the environment lies."""
    return cache_folder() / f"ros2-{sys.version_info.major}.{sys.version_info.minor}"


def find_python() -> Path | None:
    """Return the environment's interpreter, if it was made."""
    return folder() / "bin/python" if (folder() / _READY).is_file() else None


def make_environment() -> Path:
    """Make the environment, and return its interpreter."""
    _run([sys.executable, "-m", "venv", "--clear", folder()])
    python = folder() / "bin/python"
    _run([python, "-m", "pip", "install", "--quiet", *PACKAGES])
    _run([python, "-c", "import rclpy, sensor_msgs.msg, std_msgs.msg"])
    (folder() / _READY).touch()
    return python


def measure(python: Path, engine: Path, pictures: int = _PICTURES) -> dict[str, Any]:
    """Package an engine, run the package's node, send it pictures; return what came back.

    Args:
        python: of the environment.
        engine: a segmentation engine that runs here.
        pictures: how many are sent.
    """
    with tempfile.TemporaryDirectory() as temporary:
        package, answers = Path(temporary) / "package", Path(temporary) / "answers.npz"
        run_package(PackageOptions((engine,), Stack.ROS2, package))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *(path for path in sys.path if path.endswith("-packages"))))),
            "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_DOMAIN_ID": str(os.getpid() % 100),
            "ROS_LOG_DIR": temporary,
        }
        words = [
            "-m",
            "segpp_segmentation.node",
            "--ros-args",
            "-p",
            "engine:=engines/model.engine",
            "-p",
            "overlay:=true",
        ]
        with subprocess.Popen([python, *words], cwd=package, env=environment) as node:
            try:
                talker = [str(python), "-m", "benchmarks.toolchain.ros2_talker", str(pictures), str(answers)]
                printed = subprocess.run(
                    talker, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=_TIMEOUT_S
                ).stdout
            finally:
                node.terminate()
                code = _end_of(node)
        return describe(json.loads(printed), answers, engine) | {"exit_code": code}


def _end_of(node: subprocess.Popen[bytes]) -> int:
    """Wait for a node that was asked to end; one that does not is killed."""
    try:
        return node.wait(_END_S)
    except subprocess.TimeoutExpired:
        node.kill()
        return node.wait()


def describe(heard: dict[str, Any], answers: Path, engine: Path) -> dict[str, Any]:
    """Return what the talker heard, beside what the engine itself says of the same pictures."""
    with Predictor.open(engine) as predictor, np.load(answers) as masks:
        names = list(predictor.metadata.classes.names)
        expected = [predictor.predict([make_picture(index)])[0].labels for index in range(len(masks.files))]
        equal = sum(np.array_equal(mask, masks[name]) for mask, name in zip(expected, masks.files, strict=True))
    classes = heard.pop("classes")
    told = [one["class_name"] for one in classes["class_map"]] if classes else None
    return {**heard, "masks_equal": equal, "classes_heard": told == names}


def main() -> int:
    """Make the environment if there is none, run the node, print; 1 if something differs."""
    parser = make_parser(__doc__)
    parser.add_argument("engine", nargs="?", type=Path)
    given = parser.parse_args().engine
    python = find_python() or make_environment()
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(python, given or _demo_engine(Path(temporary)))
    print(json.dumps(found, indent=2))
    right: dict[str, object] = {
        "masks": _PICTURES,
        "masks_equal": _PICTURES,
        "headers_kept": True,
        "classes_heard": True,
    }
    right |= {"newest_answered": True, "overlay": "rgb8", "exit_code": 0}
    return int(any(found[name] != value for name, value in right.items()))


def _demo_engine(temporary: Path) -> Path:
    graph = temporary / "street.onnx"
    run_export(ExportOptions(graph, CardSource("segformer_b0_scenes"), size=Size(128, 160)))
    return run_build(graph, temporary / "street.engine", BuildOptions(TargetName.CPU)).path


def _run(command: list[Any]) -> None:
    subprocess.run(list(map(str, command)), check=True)


if __name__ == "__main__":
    raise SystemExit(main())
