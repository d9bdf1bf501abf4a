"""A launch file for NVIDIA's Isaac ROS that runs an engine in its own nodes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Fit, InputKind, LabelsLayout, OutputKind
from segpp_deploy.data.label_maps import MAX_BYTE_CLASSES
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.demands import Demands, require_segmentation, require_tensorrt
from segpp_deploy.packaging.one_engine import plan_files, plan_values
from segpp_deploy.packaging.package import Package, PackagedEngine
from segpp_deploy.packaging.plugins import REGISTERING, find_plugins
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.texts import fill_template

_HERE = Path(__file__).parent
_MAX_BYTE = 255
_DEMANDS: Demands = {
    "input": (InputKind.FLOAT,),
    "output": (OutputKind.LABELS_INT32, OutputKind.LABELS_INT64),  # UNetDecoderNode knows no bytes
    "output_layout": (LabelsLayout.NHWC,),
    "batch": (1, "dynamic"),
}


def package_for_isaac_ros(engines: Sequence[PackagedEngine], name: str | None) -> Package:
    """Put the launch file and what it names together; see `Packager`.

    Raises:
        SegppError: what the demands say, or more classes than masks of bytes can number.
    """
    engine = require_segmentation(engines, Stack.ISAAC_ROS)
    require_tensorrt(engine, Stack.ISAAC_ROS, _DEMANDS)
    num_classes = len(engine.manifest.metadata.classes)
    if num_classes > MAX_BYTE_CLASSES:
        raise SegppError(
            f"{engine.path} has {num_classes} classes, and UNetDecoderNode puts out masks of bytes.",
            f"at most {MAX_BYTE_CLASSES} classes.",
            "Package it for plain ROS, whose masks may have 16 bits: "
            + commands.package(engine.path, **{"for": Stack.ROS2}),
        )
    plugins = find_plugins(engines)
    values = {**plan_values(engine, name, plugins), **_values(engine.manifest)}
    files = {
        "README.md": fill_template(_HERE / "readme.template", values),
        "segmentation.launch.py": fill_template(_HERE / "launch.template", values),
        **plan_files(engine, plugins),
    }
    return Package(files, "ros2 launch ./segmentation.launch.py")


def _values(manifest: Manifest) -> dict[str, object]:
    """Return what the templates leave open besides."""
    metadata = manifest.metadata
    names = [output.name for output in manifest.outputs]
    pads = metadata.fit is Fit.PAD
    frame = (
        "It holds the picture at its own aspect, padded by the encoder in black, where segpp-deploy pads in the mean "
        "colour: `keep_aspect_ratio` is on because the model was exported with padding."
        if pads
        else "It shows the whole picture, stretched to that size: `keep_aspect_ratio` is off, where its default would "
        "pad. Pixel (x, y) of a mask is pixel (x * W / width, y * H / height) of a picture of W x H."
    )
    return {
        "register": json.dumps(REGISTERING)[1:-1],
        "mean": _of_one(metadata.normalization.mean),
        "std": _of_one(metadata.normalization.std),
        "keep_aspect": pads,
        "input": manifest.input.name,
        "outputs": json.dumps(names),
        "output_tensors": json.dumps([f"{name}_tensor" for name in names]),
        "palette": "\n".join(
            f"        0x{red:02X}{green:02X}{blue:02X}," for red, green, blue in metadata.classes.palette
        ),
        "frame": frame,
    }


def _of_one(values: Iterable[float]) -> str:
    """Return values of 0 to 255 as the encoder takes them: of 0 to 1, as text.

    Example:
        >>> _of_one((123.675, 116.28, 103.53))
        '[0.485, 0.456, 0.406]'
    """
    return json.dumps([round(value / _MAX_BYTE, 9) for value in values])
