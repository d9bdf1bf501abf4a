"""ROS' launch files, executed with stand-ins that keep what everything is called with."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_STAND_INS = {
    "ament_index_python.packages": ["get_package_share_directory"],
    "launch": ["LaunchDescription"],
    "launch.actions": ["DeclareLaunchArgument", "IncludeLaunchDescription", "SetEnvironmentVariable"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": ["LaunchConfiguration"],
    "launch_ros.actions": ["ComposableNodeContainer", "Node"],
    "launch_ros.descriptions": ["ComposableNode"],
    "launch_ros.parameter_descriptions": ["ParameterValue"],
}


class Made:
    """What a stand-in was called with."""

    def __init__(self, kind: str, words: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.kind, self.words, self.options = kind, words, options

    def __fspath__(self) -> str:
        return f"/{self.kind}/{self.words[0]}"


def run_launch_file(path: Path) -> list[Made]:
    """Return what a launch file starts and declares, in its order."""
    with pytest.MonkeyPatch.context() as patch:
        for name in {part for full in _STAND_INS for part in (full.partition(".")[0], full)}:
            module = ModuleType(name)
            vars(module).update({kind: _stand_in(kind) for kind in _STAND_INS.get(name, ())})
            patch.setitem(sys.modules, name, module)
        described = runpy.run_path(str(path))["generate_launch_description"]()
    (actions,) = described.words
    return list(actions)


def _stand_in(kind: str) -> Any:
    return lambda *words, **options: Made(kind, words, options)
