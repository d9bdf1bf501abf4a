"""From an engine file to something that runs, through its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.engine.manifest import Manifest, read_manifest
from segpp_deploy.engine.verify import find_target
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions


class Engine:
    """An engine file that is loaded and ready to run.

    Args:
        path: the file.
        manifest: its record.
        session: what runs it; closed with the engine.
    """

    def __init__(self, path: Path, manifest: Manifest, session: ProfiledSession) -> None:
        self.path = path
        self.manifest = manifest
        self._session = session

    @classmethod
    def open(cls, path: Path, *, threads: int | None = None) -> Engine:
        """Load an engine file; raises what `open_session` raises."""
        manifest, session = _load(path, SessionOptions(threads))
        return cls(path, manifest, session)

    @property
    def metadata(self) -> ExportMetadata:
        """What the model is."""
        return self._session.metadata

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute: arrays of exactly the exported contract in and out; see `Session.run`."""
        return self._session.run(images)

    def close(self) -> None:
        """Give the memory back."""
        self._session.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_session(engine: Path, options: SessionOptions | None = None) -> ProfiledSession:
    """Load an engine file that `build-engine` wrote.

    Raises:
        SegppError: what `verify_engine` raises, before the file is loaded; or the runtime cannot load it.
    """
    return _load(Path(engine), options or SessionOptions())[1]


def _load(engine: Path, options: SessionOptions) -> tuple[Manifest, ProfiledSession]:
    manifest = read_manifest(engine)
    target = find_target(engine, manifest)
    return manifest, target.load(engine, manifest.metadata, manifest.settings, options)
