"""A ROS 2 package: a node that runs an engine of any target."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from segpp_deploy import __version__, commands
from segpp_deploy.data.label_maps import ignore_index, label_type
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import SegppError, quote
from segpp_deploy.packaging.demands import require_segmentation
from segpp_deploy.packaging.one_engine import ENGINE
from segpp_deploy.packaging.package import Package, PackagedEngine, PackageFile, engine_files
from segpp_deploy.packaging.ros2 import node
from segpp_deploy.packaging.ros2.node.messages import MASK_ENCODINGS
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.texts import fill_template, say_whether_tried
from segpp_deploy.runtimes.registry import TARGETS

_HERE = Path(__file__).parent
_NODE = Path(node.__file__).parent
_NAME = "segpp_segmentation"


def package_for_ros2(engines: Sequence[PackagedEngine], name: str | None) -> Package:
    """Put the package together; see `Packager`.

    Raises:
        SegppError: a pose model, several engines, or ROS allows no package of that name.
    """
    engine = require_segmentation(engines, Stack.ROS2)
    package = _require_name(name or _NAME, engine)
    values = _values(engine.manifest, package)
    files = {
        "README.md": fill_template(_HERE / "readme.template", values),
        "package.xml": fill_template(_HERE / "package.xml.template", values),
        "setup.py": fill_template(_HERE / "setup.py.template", values),
        "setup.cfg": fill_template(_HERE / "setup.cfg.template", values),
        f"resource/{package}": PackageFile(""),
        "launch/segmentation.launch.py": fill_template(_HERE / "launch.template", values),
        **{f"{package}/{path.name}": _own(path, package) for path in sorted(_NODE.glob("*.py"))},
        **engine_files(engine, f"engines/{ENGINE}"),
    }
    start = f"colcon build && . install/setup.sh && ros2 launch {package} segmentation.launch.py"
    return Package(files, start)


def _require_name(name: str, engine: PackagedEngine) -> str:
    if re.fullmatch(r"[a-z]([a-z0-9]|_(?!_))*[a-z0-9]", name):
        return name
    raise SegppError(
        f"ROS allows no package called {quote(name)}.",
        "small letters, digits and single underscores, a letter first.",
        commands.package(engine.path, **{"for": Stack.ROS2, "name": _NAME}),
    )


def _own(path: Path, package: str) -> PackageFile:
    """Return a module of the node with the imports of the package that carries it."""
    return PackageFile(path.read_text(encoding="utf-8").replace(node.__name__, package))


def _values(manifest: Manifest, package: str) -> dict[str, object]:
    """Return what the templates leave open."""
    num_classes = len(manifest.metadata.classes)
    return {
        "name": package,
        "version": __version__,
        "engine": ENGINE,
        "needs": manifest.needs,
        "install": TARGETS[manifest.target].install_command,
        "num_classes": num_classes,
        "encoding": MASK_ENCODINGS[label_type(num_classes).__name__],
        "unlabelled": ignore_index(num_classes),
        "tried": say_whether_tried(manifest),
    }
