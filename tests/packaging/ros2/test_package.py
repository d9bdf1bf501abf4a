"""The ROS 2 package: what it holds, that Python reads it, and that its node is our own."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.package import write_package
from segpp_deploy.packaging.ros2.package import package_for_ros2
from segpp_deploy.runtimes.names import TargetName
from tests.support.launch_files import run_launch_file
from tests.support.plan_files import write_plan
from tests.support.tiny_graphs import tiny_metadata


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package of another name than the usual one."""
    engine = write_plan(tmp_path / "a.engine", tiny_metadata(), TargetName.OPENVINO)
    package = package_for_ros2([engine], "front_camera")
    assert package.start.endswith("ros2 launch front_camera segmentation.launch.py")
    write_package(tmp_path / "out", package, {})
    return tmp_path / "out"


def test_files(folder: Path) -> None:
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "README.md",
        "engines/model.engine",
        "engines/model.engine.json",
        "front_camera/__init__.py",
        "front_camera/messages.py",
        "front_camera/node.py",
        "launch/segmentation.launch.py",
        "package.json",
        "package.xml",
        "resource/front_camera",
        "setup.cfg",
        "setup.py",
    }
    for path in folder.rglob("*.py"):
        ast.parse(path.read_text())


def test_names_agree(folder: Path) -> None:
    manifest = ElementTree.parse(folder / "package.xml").getroot()
    assert manifest.findtext("name") == "front_camera"
    assert manifest.findtext("export/build_type") == "ament_python"
    for word in ("--name", "--version"):
        done = subprocess.run(
            [sys.executable, "setup.py", word], cwd=folder, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == manifest.findtext(word.removeprefix("--"))
    assert "install_scripts=$base/lib/front_camera" in (folder / "setup.cfg").read_text()
    assert 'package="front_camera"' in (folder / "launch/segmentation.launch.py").read_text()


def test_the_node_imports_its_own_package(folder: Path) -> None:
    text = (folder / "front_camera/node.py").read_text()
    assert "from front_camera.messages import" in text
    assert "packaging.ros2" not in text
    program = "import front_camera.node as node; print(node.read_picture.__module__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "front_camera.messages"


def test_what_is_installed_can_be_launched(folder: Path, tmp_path: Path) -> None:
    words = [sys.executable, "setup.py", "-q", "install_data", "--install-dir", str(tmp_path / "install")]
    subprocess.run(words, cwd=folder, check=True)
    share = tmp_path / "install/share"
    assert (share / "ament_index/resource_index/packages/front_camera").is_file()
    *declared, node = run_launch_file(share / "front_camera/launch/segmentation.launch.py")
    defaults = {argument.words[0]: argument.options["default_value"] for argument in declared}
    assert Path(defaults["engine"]) == share / "front_camera/engines/model.engine"
    assert Path(defaults["engine"] + ".json").is_file()
    assert (node.options["package"], node.options["executable"]) == ("front_camera", "segmentation")
    assert "segmentation = {NAME}.node:main" in (folder / "setup.py").read_text()
    (parameters,) = node.options["parameters"]
    assert {name: value.options["value_type"] for name, value in parameters.items()} == {
        "engine": str,
        "overlay": bool,
        "queue": int,
    }
    assert {topic for topic, _ in node.options["remappings"]} == {"image", "mask", "label_info", "overlay"}


def test_readme(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    assert "pip install 'segpp-deploy[openvino]'" in text
    assert "`mono8`, the class of every pixel" in text


def test_many_classes(tmp_path: Path) -> None:
    metadata = replace(tiny_metadata(), classes=tiny_metadata(num_classes=300).classes)
    write_package(tmp_path / "out", package_for_ros2([write_plan(tmp_path / "a.engine", metadata)], None), {})
    assert "`mono16`" in (tmp_path / "out/README.md").read_text()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = write_plan(tmp_path / "a.engine", tiny_metadata(), TargetName.CPU).path
    words = ["package", str(engine), "--for", "ros2", "-o", str(tmp_path / "out"), "--json"]
    assert run_command(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["stack"] == "ros2"
    assert all((tmp_path / "out" / name).is_file() for name in told["files"])
    assert run_command(["package", str(engine), "--for", "deepstream", "-o", str(tmp_path / "other")]) == 2
    assert "build-engine" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("name", ["Front", "front-camera", "1st", "front__camera", "front_"])
def test_names_that_ros_does_not_allow(name: str, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="ROS allows no package called"):
        package_for_ros2([write_plan(tmp_path / "a.engine", tiny_metadata())], name)
