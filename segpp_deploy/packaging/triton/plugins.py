"""The plugin library that TensorRT engines need beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segpp_deploy.errors import SegppError
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.plugin_library.library import find_plugin_library

_HASH_DIGITS = 12


def find_plugins(engines: Sequence[PackagedEngine]) -> Path | None:
    """Return the library with the plugins that engines were built with; None where no engine has any.

    Raises:
        SegppError: the library is missing, or is not the one that an engine was built with.
    """
    needing = [engine for engine in engines if engine.manifest.runtime.plugin_sha256 is not None]
    if not needing:
        return None
    library = find_plugin_library()
    for engine in needing:
        wanted = engine.manifest.runtime.plugin_sha256 or ""
        if wanted != library.record.sha256:
            raise SegppError(
                f"{engine.path} was built with another plugin library than {library.path}: "
                f"{wanted[:_HASH_DIGITS]}, not {library.record.sha256[:_HASH_DIGITS]}.",
                "the library that was loaded when the engine was built.",
                "Build the engine again: " + engine.manifest.rebuild_command(engine.path),
            )
    return library.path
