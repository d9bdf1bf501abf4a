"""An engine on its way to another machine: the file and its record as bytes."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.engine.manifest import Manifest, manifest_path, read_manifest
from segpp_deploy.engine.open import require_whole


@dataclass(frozen=True)
class EngineCopy:
    """An engine file and its manifest.

    Args:
        name: of the file.
        payload: its bytes.
        record: the bytes of the manifest file.
    """

    name: str
    payload: bytes
    record: bytes

    @contextlib.contextmanager
    def placed(self) -> Iterator[Path]:
        """Yield the engine as a file, for as long as it takes to load it."""
        with tempfile.TemporaryDirectory(prefix="segpp-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.payload)
            manifest_path(path).write_bytes(self.record)
            yield path


def copy_engine(engine: Path) -> tuple[Manifest, EngineCopy]:
    """Return an engine's manifest and its copy; whether it could run here is not asked.

    Raises:
        SegppError: what `read_manifest` raises, or the file is not the one that was built.
    """
    manifest = read_manifest(engine)
    require_whole(engine, manifest)
    return manifest, EngineCopy(engine.name, engine.read_bytes(), manifest_path(engine).read_bytes())
