"""Where built plugin libraries are kept, and how every command finds the one to load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segpp_deploy import commands
from segpp_deploy.errors import CommandText, SegppError
from segpp_deploy.files import cache_folder, require_file, sha256_of
from segpp_deploy.plugin_library.architectures import format_capability
from segpp_deploy.plugin_library.machines import Machine, this_machine
from segpp_deploy.plugin_library.sources import LibraryKind, hash_sources, plugin_sources

if TYPE_CHECKING:  # it loads pydantic, which `--version` has no time for
    from segpp_deploy.plugin_library.record import PluginRecord

LIBRARY_VARIABLE = "SEGPP_PLUGIN_LIBRARY"
LIBRARY_NAMES = {
    LibraryKind.CUDA: "libsegpp_plugins.so",
    LibraryKind.KERNELS: "libsegpp_kernels.so",
    LibraryKind.HOST: "libsegpp_plugins_host.so",
}
_NOT_BUILT = {
    LibraryKind.CUDA: "The TensorRT plugins were not built yet.",
    LibraryKind.KERNELS: "The kernels were not compiled yet.",
    LibraryKind.HOST: "The host build was not made yet.",
}
HOST_KERNELS_NAME = "libsegpp_host.so"

_INTEGRATED = frozenset({"72", "87", "101", "110"})  # machine code for these GPUs and for others does not mix


@dataclass(frozen=True)
class PluginLibrary:
    """A library that is whole and fits this machine's processor."""

    path: Path
    record: PluginRecord

    @property
    def kernels_path(self) -> Path | None:
        """The library with the C interface of the kernels: itself, or what a host build has beside it."""
        if self.record.kind is LibraryKind.KERNELS:
            return self.path
        path = self.path.with_name(HOST_KERNELS_NAME)
        return path if path.is_file() else None

    def runs_on(self, compute_capability: str) -> bool:
        """Whether it holds code for a GPU, e.g. of compute capability "8.7"."""
        wanted = compute_capability.replace(".", "")
        if wanted in self.record.architectures:
            return True
        if self.record.ptx is not None and int(self.record.ptx) <= int(wanted):
            return True
        return wanted not in _INTEGRATED and any(
            name[:-1] == wanted[:-1] and int(name) < int(wanted)
            for name in self.record.architectures
            if name not in _INTEGRATED
        )

    def require_runs_on(self, compute_capability: str) -> None:
        """Check that it holds code for a GPU.

        Raises:
            SegppError: it does not; the fix is the build for that GPU too.
        """
        if self.runs_on(compute_capability):
            return
        held = ", ".join(map(format_capability, self.record.architectures)) or "no GPU"
        together = (*self.record.architectures, compute_capability.replace(".", ""))
        raise SegppError(
            f"The plugin library {self.path} was compiled for {held}, not for {compute_capability}.",
            f"a library for compute capability {compute_capability}.",
            commands.build_plugins(",".join(together), kernels=self.record.kind is LibraryKind.KERNELS),
        )


def libraries_folder(machine: Machine | None = None) -> Path:
    """Return the folder that holds one folder per library built for a processor; None = this one."""
    folder = cache_folder() / "plugins"
    return folder if machine is None or machine.is_this else folder / machine.name


def find_plugin_library(kind: LibraryKind = LibraryKind.CUDA) -> PluginLibrary:
    """Return the library to load: the file named by SEGPP_PLUGIN_LIBRARY, else the last one built from these sources.

    Raises:
        SegppError: none was built, the sources changed since, or the file is not what its record says.
    """
    chosen = os.environ.get(LIBRARY_VARIABLE)
    if chosen and kind is LibraryKind.CUDA:
        return open_library(
            require_file(Path(chosen), f"plugin library ({LIBRARY_VARIABLE})", commands.build_plugins())
        )
    source_sha256 = hash_sources(plugin_sources(), kind)
    found = sorted(_libraries(kind), key=lambda library: library.record.created, reverse=True)
    for library in found:
        if library.record.source_sha256 == source_sha256:
            return open_library(library.path)
    if found:
        raise _stale_error(found[0])
    raise SegppError(
        _NOT_BUILT[kind],
        f"a library in {libraries_folder()}"
        + (f", or named by {LIBRARY_VARIABLE}." * (kind is LibraryKind.CUDA) or "."),
        _command(kind),
    )


def has_plugin_library() -> bool:
    """Whether there is a file that `find_plugin_library` would look at; it is not opened."""
    return bool(os.environ.get(LIBRARY_VARIABLE)) or any(_library_files(LibraryKind.CUDA))


def open_library(path: Path, machine: Machine | None = None) -> PluginLibrary:
    """Read a library's record and check the file against it; the library is not loaded.

    Args:
        path: of the library.
        machine: the processor it has to be for; None = this one.

    Raises:
        SegppError: no record, another file than recorded, or made for another processor.
    """
    from segpp_deploy.plugin_library.record import read_record

    record = read_record(path)
    if sha256_of(path) != record.sha256:
        raise SegppError(
            f"The plugin library {path} is not the file that its record describes.",
            f"SHA-256 {record.sha256[:12]}...",
            _command(record.kind, record),
        )
    expected = (machine or this_machine()).name
    if record.machine != expected:
        raise SegppError(
            f"The plugin library {path} was built for {record.machine}, and this is {expected}.",
            f"a library built for {expected}.",
            _command(record.kind, record),
        )
    return PluginLibrary(path, record)


def _library_files(kind: LibraryKind) -> Iterator[Path]:
    return libraries_folder().glob(f"{kind}-*/{LIBRARY_NAMES[kind]}")


def _libraries(kind: LibraryKind) -> Iterator[PluginLibrary]:
    from segpp_deploy.plugin_library.record import read_record

    for path in _library_files(kind):
        try:
            yield PluginLibrary(path, read_record(path))
        except SegppError:
            continue  # of another version of this program; as good as not built


def _stale_error(library: PluginLibrary) -> SegppError:
    record = library.record
    return SegppError(
        f"The plugin library is older than its sources: {library.path} was built by segpp-deploy "
        f"{record.tool_version} on {record.created[:10]}, and the sources changed since.",
        "a library built from the sources as they are.",
        _command(record.kind, record)
        + f" (or keep the old one: {LIBRARY_VARIABLE}={library.path})" * (record.kind is LibraryKind.CUDA),
    )


def _command(kind: LibraryKind, record: PluginRecord | None = None) -> CommandText:
    if kind is LibraryKind.HOST:
        return commands.build_plugins(host=True)
    architectures = ",".join(record.architectures) if record else None
    return commands.build_plugins(architectures, kernels=kind is LibraryKind.KERNELS)
