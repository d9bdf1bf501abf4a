"""Packages for programs in C and C++: engines, and the sources of the library that runs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.demands import require_target
from segpp_deploy.packaging.package import Package, PackagedEngine, PackageFile, engine_files
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.packaging.texts import fill_template
from segpp_deploy.runtimes.names import TargetName

LIBRARY = Path(__file__).with_name("library")
README = Path(__file__).with_name("readme.template")
TARGETS = {
    TargetName.OPENVINO: """-DOpenVINO_DIR="$(python3 -c 'import openvino; print(openvino.__path__[0])')/cmake\"""",
    TargetName.CPU: "-DONNXRUNTIME_ROOT=DIR",
    TargetName.TENSORRT: "-DTENSORRT_ROOT=DIR",
}
"""What the library has a backend for, and the option that tells CMake where its runtime is."""

_SUFFIXES = frozenset({".c", ".cpp", ".h", ".txt"})


def package_for_cpp(engines: Sequence[PackagedEngine], name: str | None) -> Package:
    """Return the library's sources with engines beside them; see `Packager`."""
    names = _name_engines(engines, name)
    files: dict[str, PackageFile] = {}
    for engine, file_name in zip(engines, names, strict=True):
        require_target(engine, Stack.CPP, TARGETS)
        files |= engine_files(engine, f"engines/{file_name}")
    for source in library_sources():
        files[f"library/{source.relative_to(LIBRARY).as_posix()}"] = PackageFile(source)
    files["README.md"] = _readme(dict(zip(names, engines, strict=True)))
    start = f"cmake -S library -B build {_options_of(engines)} && cmake --build build -j"
    return Package(files, start, tuple(_notes(engines)))


def library_sources() -> list[Path]:
    """Return the files of the library."""
    return sorted(path for path in LIBRARY.rglob("*") if path.suffix in _SUFFIXES)


def _options_of(engines: Sequence[PackagedEngine]) -> str:
    """Return what CMake is told, so that the library runs all engines."""
    return " ".join(dict.fromkeys(TARGETS[engine.manifest.target] for engine in engines))


def _name_engines(engines: Sequence[PackagedEngine], name: str | None) -> list[str]:
    if name is not None and len(engines) > 1:
        raise SegppError(
            f"{len(engines)} engines cannot all be called {name}.",
            "one engine with a name, or several that keep theirs.",
            "Leave out " + commands.option("name") + ".",
        )
    names = [engine.path.name if name is None else f"{name}.engine" for engine in engines]
    repeated = next((one for one in names if names.count(one) > 1), None)
    if repeated is not None:
        raise SegppError(
            f"Two engines are called {repeated}.", "engines of different names.", "Rename one of the files."
        )
    return names


def _notes(engines: Sequence[PackagedEngine]) -> Iterator[str]:
    if any(engine.manifest.target is TargetName.TENSORRT for engine in engines):
        yield "The library's TensorRT part was compiled against its headers, and has not run on a GPU."
    if any(engine.manifest.runtime.plugin_sha256 for engine in engines):
        yield "An engine needs our plugins: name their library in segpp_options.plugin_library."


def _readme(engines: Mapping[str, PackagedEngine]) -> PackageFile:
    first, manifest = next((name, engine.manifest) for name, engine in engines.items())
    size = manifest.metadata.size
    values = {
        "engines": "\n".join(
            f"| `engines/{name}` | {_describe(engine.manifest)} |" for name, engine in engines.items()
        ),
        "options": _options_of(list(engines.values())),
        "first": first,
        "size": f"{size.width}x{size.height}",
        "needs": "\n".join(sorted({f"* {engine.manifest.needs}" for engine in engines.values()})),
        "input": manifest.input,
        "outputs": ", ".join(map(str, manifest.outputs)),
    }
    return fill_template(README, values)


def _describe(manifest: Manifest) -> str:
    metadata = manifest.metadata
    return (
        f"{metadata.arch} {metadata.mode}, {metadata.size}, {manifest.precision}, {manifest.target} | "
        f"{manifest.input} | {', '.join(map(str, manifest.outputs))}"
    )
