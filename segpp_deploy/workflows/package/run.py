"""Put engines into the files that a serving stack, a robot or a pipeline runs."""

from __future__ import annotations

from typing import Any

from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.engine.open import require_whole
from segpp_deploy.packaging.package import RECORD_NAME, PackagedEngine, require_new_directory, write_package
from segpp_deploy.packaging.registry import find_packager
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.package.result import PackageResult


def run_package(options: PackageOptions) -> PackageResult:
    """Package engines; neither their runtime nor their device needs to be here.

    Raises:
        SegppError: an engine is damaged, the stack cannot run it, or the directory cannot be written.
    """
    require_new_directory(options.out)
    engines = [PackagedEngine(path, read_manifest(path)) for path in options.engines]
    for engine in engines:
        require_whole(engine.path, engine.manifest)
    package = find_packager(options.stack)(engines, options.name)
    write_package(options.out, package, {"stack": str(options.stack), "engines": [_facts(one) for one in engines]})
    files = (*package.files, RECORD_NAME)
    return PackageResult(options.out, options.stack, files, package.start, package.notes)


def _facts(engine: PackagedEngine) -> dict[str, Any]:
    """Return what the package's record says of an engine."""
    manifest = engine.manifest
    return {"file": engine.path.name, "sha256": manifest.engine_sha256, "target": str(manifest.target)}
