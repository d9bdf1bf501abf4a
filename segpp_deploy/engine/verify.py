"""Is this engine file whole, and does it fit the runtime installed here?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from segpp_deploy.engine.manifest import Manifest, read_manifest
from segpp_deploy.engine.target import RuntimeFacts, open_target
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of

_INDIFFERENT = ("driver",)  # recorded, but newer drivers run older engines


def verify_engine(engine: Path) -> Manifest:
    """Return an engine's manifest after checking the file and the runtime against it, before anything loads the file.

    Raises:
        SegppError: what `read_manifest` raises; the file was cut short or changed; its runtime is missing or differs
            from the one it was built with. The message holds the command that builds it again.
    """
    manifest = read_manifest(engine)
    _check_file(engine, manifest)
    _check_runtime(engine, manifest, open_target(manifest.target).runtime_facts())
    return manifest


def _check_file(engine: Path, manifest: Manifest) -> None:
    size = engine.stat().st_size
    if size == manifest.size_bytes and sha256_of(engine) == manifest.engine_sha256:
        return
    what = "was changed" if size == manifest.size_bytes else f"has {size} bytes"
    raise SegppError(
        f"{engine} is not the file that was built: it {what}.",
        f"the {manifest.size_bytes} bytes its manifest describes.",
        f"Copy it again together with its manifest, or build it again: {manifest.rebuild_command(engine)}",
    )


def _check_runtime(engine: Path, manifest: Manifest, present: RuntimeFacts) -> None:
    built, here = asdict(manifest.runtime), asdict(present)
    differing = [name for name in built if name not in _INDIFFERENT and built[name] != here[name]]
    if not differing:
        return
    differences = "; ".join(f"{name.replace('_', ' ')} {built[name]}, here {here[name]}" for name in differing)
    raise SegppError(
        f"{engine} was built for another runtime: {present.name} {differences}.",
        f"{manifest.runtime.name} {manifest.runtime.version}, as when it was built.",
        f"Build it again: {manifest.rebuild_command(engine)}",
    )
