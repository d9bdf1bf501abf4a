"""Who may import whom: every edge between rooms (folders) stands in one table, and there is no way in a circle.

A room is a folder of the package, or a module that lies directly in it. A line of the table names the rooms that a room
may import; `BASE` may be imported from everywhere.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "segpp_deploy"
BASE = frozenset({"errors", "config", "files", "progress", "commands", "versions"})
EDGES: dict[str, str] = {
    # the base modules: each may import those before it
    "errors": "",
    "commands": "errors",
    "config": "commands errors",
    "files": "errors",
    "progress": "",
    "versions": "",
    # what is computed
    "ops": "",
    "ops/portable": "ops",
    "model": "ops",
    "model/dialects": "model",
    "model/weights": "model model/dialects",
    "graph": "model ops",
    "graph/precision": "graph model ops",
    "graph/rewrites": "graph/precision ops ops/portable",
    "graph/exporting": "graph graph/rewrites model ops ops/portable",
    # what computes it
    "hardware": "",
    "plugin_library": "hardware ops",
    "runtimes": "graph hardware",
    "runtimes/onnxruntime": "graph graph/rewrites hardware runtimes",
    "runtimes/openvino": "graph graph/rewrites hardware runtimes",
    "runtimes/tensorrt": "graph graph/rewrites hardware ops plugin_library runtimes",
    "runtimes/torch": "graph graph/exporting hardware model model/weights ops plugin_library runtimes",
    # what goes in and comes out
    "data": "",
    "data/scenes": "",
    "data/geometry": "data",
    "data/datasets": "data data/geometry data/scenes",
    "tasks/protocol": "data data/geometry graph",
    "tasks/segmentation": "data data/geometry graph tasks/protocol",
    "tasks/pose": "data data/datasets data/geometry graph tasks/protocol",
    "tasks": "tasks/pose tasks/protocol tasks/segmentation",
    # engines, and what is measured of them
    "engine": "graph hardware runtimes tasks/protocol",
    "evaluation": "data data/datasets data/geometry engine graph hardware runtimes runtimes/torch tasks tasks/protocol",
    "fleet": "engine evaluation graph hardware runtimes tasks tasks/protocol",
    "tuning/calibration": "data data/datasets data/geometry evaluation graph graph/exporting graph/precision "
    "runtimes/onnxruntime tasks",
    "tuning": "data/datasets engine evaluation graph graph/exporting graph/precision runtimes tasks/protocol "
    "tuning/calibration",
    "tuning/search": "data/datasets evaluation graph graph/exporting graph/precision model runtimes tasks/protocol "
    "tuning tuning/calibration",
    # engines in the files of other stacks
    "packaging": "engine graph plugin_library runtimes",
    "packaging/cpp": "engine packaging runtimes",
    "packaging/deepstream": "engine packaging",
    "packaging/isaac_ros": "data engine packaging",
    "packaging/ros2": "data engine packaging packaging/ros2/node runtimes",
    "packaging/ros2/node": "data evaluation",
    "packaging/triton": "engine graph packaging runtimes",
    # what users see
    "report": "model tasks/protocol",
    "workflows": "engine graph graph/precision report tuning/calibration",
    "workflows/bench": "data data/scenes engine evaluation hardware report runtimes",
    "workflows/build_engine": "data engine graph graph/precision report runtimes tasks tuning tuning/calibration "
    "workflows",
    "workflows/export": "graph/exporting model model/weights report tasks tasks/protocol",
    "workflows/compare": "data data/datasets data/geometry engine evaluation graph graph/exporting graph/precision "
    "model model/weights report runtimes runtimes/torch tasks tasks/protocol tuning tuning/calibration tuning/search "
    "workflows/build_engine workflows/export",
    "workflows/demo": "data data/datasets evaluation hardware model/weights report runtimes tasks/protocol tuning "
    "workflows/build_engine workflows/compare workflows/export",
    "workflows/doctor": "evaluation graph graph/precision hardware model/weights plugin_library report runtimes tuning "
    "workflows/export",
    "workflows/inspect": "engine graph model model/weights report runtimes workflows",
    "workflows/package": "engine packaging report",
    "workflows/predict": "data data/datasets engine evaluation fleet graph report tasks/protocol",
    "workflows/tune": "data data/datasets evaluation model model/weights report runtimes tasks tasks/protocol "
    "tuning/calibration tuning/search workflows/export",
    "workflows/validate": "data data/datasets data/geometry engine evaluation fleet graph report runtimes/torch "
    "tasks/protocol",
    "workflows/selftest": "data/datasets data/scenes evaluation hardware model model/weights ops plugin_library report "
    "runtimes runtimes/tensorrt runtimes/torch workflows/build_engine workflows/export",
    "cli": "data packaging plugin_library report runtimes tuning tuning/calibration tuning/search workflows "
    "workflows/bench workflows/build_engine workflows/compare workflows/demo workflows/doctor workflows/export "
    "workflows/inspect workflows/package workflows/predict workflows/selftest workflows/tune workflows/validate",
    "api": "data/datasets engine model model/weights packaging runtimes tuning tuning/calibration tuning/search "
    "workflows workflows/bench workflows/build_engine workflows/compare workflows/export workflows/package "
    "workflows/tune workflows/validate",
    "__main__": "cli",
}
LIGHT = {"typer", "rich"}
"""What a module of the command line may load before a command is chosen; so may the modules of options it imports."""
LIGHT_MODULES = frozenset(
    {
        "data/live_source",
        "data/places",
        "packaging/stacks",
        "runtimes/names",
        "runtimes/builder_options",
        "tuning/gate_options",
    }
)


def room_of(module: str) -> str:
    """Return the room of a module named from the package's folder on, with slashes."""
    folder, _, name = module.rpartition("/")
    return folder or name


def module_names() -> dict[str, Path]:
    paths = {path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {name: path for name, path in paths.items() if name != "__init__"}


MODULES = module_names()


def imported_modules(source: str) -> set[str]:
    """Names of the package's modules that the source imports, at module level or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if as_module(full) else node.module or "")
    return {module for name in names if (module := as_module(name))}


def as_module(dotted: str) -> str | None:
    """Return a module's name as in `MODULES`, if it is one of the package's; a package stands for its `__init__`."""
    if not dotted.startswith("segpp_deploy."):
        return None
    name = dotted.removeprefix("segpp_deploy.").replace(".", "/")
    return name if name in MODULES else f"{name}/__init__" if f"{name}/__init__" in MODULES else None


def rooms_seen_by(module: str) -> set[str]:
    rooms = {room_of(name) for name in imported_modules(MODULES[module].read_text())}
    return rooms - {room_of(module)}


def allowed(room: str) -> set[str]:
    return set(EDGES[room].split()) | (set() if room in BASE else set(BASE))


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_in_the_table(module: str) -> None:
    room = room_of(module)
    assert room in EDGES, f"the table has no line for {room}"
    wrong = rooms_seen_by(module) - allowed(room)
    assert not wrong, f"{module} imports from {sorted(wrong)}"


def test_every_edge_of_the_table_is_used() -> None:
    used: dict[str, set[str]] = {}
    for module in MODULES:
        used.setdefault(room_of(module), set()).update(rooms_seen_by(module))
    unused = {room: sorted(set(EDGES[room].split()) - used.get(room, set())) for room in EDGES}
    assert {room: edges for room, edges in unused.items() if edges} == {}


def test_no_way_leads_in_a_circle() -> None:
    done: set[str] = set()

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, f"a circle: {' -> '.join((*path, room))}"
        if room not in done:
            for following in EDGES[room].split():
                visit(following, (*path, room))
            done.add(room)

    for room in EDGES:
        visit(room, ())


def is_light(module: str) -> bool:
    return room_of(module) in {*BASE, "cli"} or module in LIGHT_MODULES or module.endswith("/options")


@pytest.mark.parametrize("module", [module for module in MODULES if is_light(module)])
def test_what_the_command_line_loads_at_once_is_light(module: str) -> None:
    statements = [
        node for node in ast.parse(MODULES[module].read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    source = "\n".join(ast.unparse(node) for node in statements)
    light = {"model/weights/source", "model/weights/training_record"}
    heavy = {name for name in imported_modules(source) if not is_light(name)} - light
    assert not heavy, "import it inside the command's function"
    roots = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for node in statements
        for alias in node.names
    }
    assert roots - LIGHT - {"segpp_deploy"} - set(sys.stdlib_module_names) == set()


def test_the_check_sees_a_forbidden_import() -> None:
    source = "def f():\n    from segpp_deploy.cli.main import main\n    from segpp_deploy.data import images\n"
    assert imported_modules(source) == {"cli/main", "data/images"}
    assert {room_of(name) for name in imported_modules(source)} - allowed("data/geometry") == {"cli"}
