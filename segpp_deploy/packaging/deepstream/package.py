"""A folder for NVIDIA DeepStream: the configuration of nvinfer, and the parser by which it reads label maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segpp_deploy.config import Fit, InputKind, OutputKind
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.packaging.demands import Demands, require_segmentation, require_tensorrt
from segpp_deploy.packaging.one_engine import plan_files, plan_values
from segpp_deploy.packaging.package import Package, PackagedEngine, PackageFile
from segpp_deploy.packaging.plugins import REGISTERING, find_plugins
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.texts import fill_template

_HERE = Path(__file__).parent
_LIBRARY = "libsegpp_label_parser.so"
_DEMANDS: Demands = {
    "input": (InputKind.FLOAT255,),  # nvinfer has one scale for all channels: it cannot normalise
    "output": (OutputKind.LABELS_INT32, OutputKind.LABELS_INT64, OutputKind.LABELS),
    "batch": (1, "dynamic"),
}
_PLUGINS_NOTE = (
    "They are in `{}`, which the parser brings along; in pipelines of your own set `{}`, as `run.sh` does, so that "
    "they register themselves."
)
_BYTES_NOTE = (
    "The labels are bytes, a type for which nvinfer's headers of 2024 have no name: where it refuses the engine, "
    "export labels of 32 bits."
)


def package_for_deepstream(engines: Sequence[PackagedEngine], name: str | None) -> Package:
    """Put the folder together; see `Packager`."""
    engine = require_segmentation(engines, Stack.DEEPSTREAM)
    require_tensorrt(engine, Stack.DEEPSTREAM, _DEMANDS)
    plugins = find_plugins(engines)
    values = {**plan_values(engine, name, plugins), **_values(engine.manifest, plugins)}
    files = {
        "README.md": fill_template(_HERE / "readme.template", values),
        "nvinfer.txt": fill_template(_HERE / "nvinfer.template", values),
        "label_parser.cpp": PackageFile(_HERE / "label_parser.cpp"),
        "Makefile": fill_template(_HERE / "Makefile.template", values),
        "run.sh": fill_template(_HERE / "run.template", values, is_program=True),
        **plan_files(engine, plugins),
    }
    notes = (_BYTES_NOTE,) if _has_bytes(engine.manifest) else ()
    return Package(files, "./run.sh", notes)


def _values(manifest: Manifest, plugins: Path | None) -> dict[str, object]:
    """Return what the templates leave open besides."""
    metadata = manifest.metadata
    pads = metadata.fit is Fit.PAD
    most = manifest.builder.batch_range[2] if metadata.batch is None else 1
    frame = (
        "It shows the picture at its own aspect in the upper left, padded: nvinfer pads in black where "
        "segpp-deploy pads in the mean colour."
        if pads
        else "It shows the whole picture, stretched to that size."
    )
    return {
        "library": _LIBRARY,
        "register": "=".join(REGISTERING),
        "plugins_note": "It needs none."
        if plugins is None
        else _PLUGINS_NOTE.format(plugins.name, "=".join(REGISTERING)),
        "precision": manifest.precision,
        "output": manifest.outputs[0].name,
        "batch": most,
        "keep_aspect": int(pads),
        "num_classes": len(metadata.classes),
        "frame": frame,
        "batch_note": f"`batch-size` is the most that the engine takes, {most}; so many streams fit into one call.",
        "type_note": _BYTES_NOTE if _has_bytes(manifest) else f"The labels are {manifest.outputs[0].dtype}.",
    }


def _has_bytes(manifest: Manifest) -> bool:
    return manifest.metadata.output_kind is OutputKind.LABELS
