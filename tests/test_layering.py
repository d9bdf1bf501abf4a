"""Imports run one way: a package may import only packages to its left, and the four base modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "segpp_deploy"
BASE = (
    "errors",
    "config",
    "files",
    "progress",
    "ops",
)  # importable from everywhere; each imports only base modules before it
LAYERS = (
    "hardware",
    "model",
    "graph",
    "plugin_library",
    "runtimes",
    "engine",
    "data",
    "tasks",
    "evaluate",
    "tuning",
    "report",
    "workflows",
    "cli",
)
SEEN_BY_CLI = (*BASE, "engine", "report", "workflows", "cli")  # engine: options to build, and compiling plugins
LIGHT_LAYERS = ("cli",)
LIGHT_LIBRARIES = {"typer", "rich"}  # what a light layer may import when a module loads
LIGHT_MODULES = ("segpp_deploy.runtimes.names",)  # and of other layers: the choices that options show


def imported_modules(source: str) -> set[str]:
    """Names of all modules that the source imports, at module level or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def layers_of(names: set[str]) -> set[str]:
    parts = (name.split(".") for name in names)
    return {part[1] for part in parts if part[0] == "segpp_deploy" and len(part) > 1} & {*BASE, *LAYERS}


def allowed(layer: str) -> set[str]:
    if layer in BASE:
        return {*BASE[: BASE.index(layer)], layer}
    if layer == "cli":
        return set(SEEN_BY_CLI)
    return {*BASE, *LAYERS[: LAYERS.index(layer) + 1]}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if layer_of(path) not in ("__init__", "__main__"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    layer = layer_of(path)
    wrong = layers_of(imported_modules(path.read_text())) - allowed(layer)
    assert not wrong, f"{path.name} is in layer {layer!r} and imports {sorted(wrong)}"


def test_every_package_has_a_layer() -> None:
    assert {layer_of(path) for path in SOURCES} <= {*BASE, *LAYERS}


@pytest.mark.parametrize("path", [p for p in SOURCES if layer_of(p) in LIGHT_LAYERS], ids=lambda path: path.name)
def test_cli_modules_load_light_libraries_only(path: Path) -> None:
    statements = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = imported_modules("\n".join(ast.unparse(node) for node in statements))
    names = {name for name in names if not name.startswith(LIGHT_MODULES)}
    import_roots = {name.split(".")[0] for name in names}
    third_party = import_roots - LIGHT_LIBRARIES - {"segpp_deploy"} - set(__import__("sys").stdlib_module_names)
    assert not third_party
    assert layers_of(names) <= {"errors", "config", "cli"}, "import the workflow inside the command's function"


def test_the_check_sees_a_forbidden_import() -> None:
    source = "def f():\n    from segpp_deploy.cli.main import main\n"
    assert layers_of(imported_modules(source)) - allowed("model") == {"cli"}
