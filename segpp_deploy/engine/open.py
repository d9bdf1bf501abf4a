"""From an engine file to a session, through its manifest."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.engine.verify import find_target
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions


def open_session(engine: Path, options: SessionOptions | None = None) -> ProfiledSession:
    """Load an engine file that `build-engine` wrote.

    Raises:
        SegppError: what `verify_engine` raises, before the file is loaded; or the runtime cannot load it.
    """
    engine = Path(engine)
    manifest = read_manifest(engine)
    target = find_target(engine, manifest)
    return target.load(engine, manifest.metadata, manifest.settings, options or SessionOptions())
