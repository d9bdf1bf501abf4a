"""What packages that load one segmentation engine have in common: its files, and what their texts say of it."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy.packaging.package import PackagedEngine, PackageFile, engine_files
from segpp_deploy.packaging.texts import label_lines, say_whether_tried

ENGINE = "model.engine"


def plan_files(engine: PackagedEngine, plugins: Path | None) -> dict[str, PackageFile]:
    """Return a TensorRT engine, its classes' names, and the plugin library beside it where it needs one."""
    files = {**engine_files(engine, ENGINE), "labels.txt": label_lines(engine.manifest.metadata.classes)}
    return files if plugins is None else {**files, plugins.name: PackageFile(plugins)}


def plan_values(engine: PackagedEngine, name: str | None, plugins: Path | None) -> dict[str, object]:
    """Return what the templates around a TensorRT engine leave open, whatever stack they are for."""
    manifest = engine.manifest
    return {
        "name": name or engine.path.stem,
        "engine": ENGINE,
        "plugins": "" if plugins is None else plugins.name,
        "height": manifest.metadata.size.height,
        "width": manifest.metadata.size.width,
        "needs": manifest.needs,
        "input_spec": manifest.input,
        "output_specs": ", ".join(map(str, manifest.outputs)),
        "tried": say_whether_tried(manifest),
    }
