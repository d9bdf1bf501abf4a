"""The plugin library in TensorRT's registry, where the flavour runs plugins."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Lowering
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.plugin_library.library import PluginLibrary, find_plugin_library
from segpp_deploy.runtimes.tensorrt.api import TensorRt

_LOADED: set[tuple[str, Path]] = set()  # by this process: (module, library)


def plugin_hash(trt: TensorRt) -> str | None:
    """Return the hash of the plugin library that would be loaded; None without one."""
    try:
        return find_plugin_library().record.sha256 if _takes_plugins(trt) else None
    except SegppError:
        return None


def load_plugins(trt: TensorRt, compute_capability: str) -> PluginLibrary:
    """Register the plugins, once in a process.

    Raises:
        SegppError: the library is missing, holds no code for the GPU, or the flavour refuses it or has no plugins.
    """
    if not _takes_plugins(trt):
        raise SegppError(
            f"{trt.info.runtime} runs no plugins.",
            "a graph with the portable lowering.",
            commands.export(lowering=Lowering.PORTABLE),
        )
    library = find_plugin_library()
    library.require_runs_on(compute_capability)
    key = (trt.info.module, library.path)
    if key not in _LOADED:
        _register(trt, library)
        _LOADED.add(key)
    return library


def _takes_plugins(trt: TensorRt) -> bool:
    return Lowering.PLUGIN in trt.info.lowerings


def _register(trt: TensorRt, library: PluginLibrary) -> None:
    trt.log.clear()
    try:
        handle = trt.api.get_plugin_registry().load_library(str(library.path))
    except (RuntimeError, OSError) as error:
        trt.log.errors.append(one_line(error))
        handle = None
    if handle is None:
        built_with = library.record.tensorrt_version
        raise trt.error(
            f"{trt.info.runtime} {trt.version} cannot load the plugin library {library.path}, which was built with "
            f"the headers of {built_with}",
            f"a library built with the headers of {trt.version}.",
            commands.build_plugins(),
        )
