"""The record beside a plugin library, `LIBRARY.json`: what it is and what it was built from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.files import read_text
from segpp_deploy.plugin_library.architectures import format_capability
from segpp_deploy.plugin_library.sources import LibraryKind

SCHEMA_VERSION: Final = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PluginRecord(BaseModel):
    """What is known of one library.

    Args:
        schema_version: of this record.
        kind: of library.
        architectures: GPUs it holds machine code for, such as "87"; none in a host build.
        ptx: the architecture whose PTX it holds for GPUs that come later; None in a host build.
        sha256: hash of the library file.
        source_sha256: hash of the sources it was built from.
        cuda_version: of nvcc, or of the headers in a host build.
        tensorrt_version: of the TensorRT headers; None for the kernels alone.
        compiler: the host compiler's version.
        machine: the processor it runs on, e.g. "aarch64".
        tool_version: the segpp-deploy that built it.
        build_seconds: how long that took.
        created: when it ended, UTC, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: LibraryKind
    architectures: tuple[str, ...]
    ptx: str | None
    sha256: Sha256
    source_sha256: Sha256
    cuda_version: str
    tensorrt_version: str | None
    compiler: str
    machine: str
    tool_version: str
    build_seconds: float
    created: str

    def describe(self) -> str:
        """Say in a few words what the library is for and was built with."""
        gpus = ", ".join(map(format_capability, self.architectures))
        runs_on = f"compute capability {gpus}" if gpus else "runs on the CPU, for tests only"
        return f"{runs_on}; CUDA {self.cuda_version}" + (
            f", TensorRT {self.tensorrt_version}" if self.tensorrt_version else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")


def record_path(library: Path) -> Path:
    """Return where the record of a library lies.

    Example:
        >>> record_path(Path("libsegpp_plugins.so")).name
        'libsegpp_plugins.so.json'
    """
    return library.with_name(library.name + ".json")


def dump_record(record: PluginRecord) -> str:
    """Return the record file's text."""
    return json.dumps(record.to_dict(), indent=2) + "\n"


def read_record(library: Path) -> PluginRecord:
    """Read the record of a library.

    Raises:
        SegppError: it is missing or was not written by this version.
    """
    path = record_path(library)
    try:
        return PluginRecord.model_validate_json(read_text(path))
    except FileNotFoundError as error:
        raise SegppError(
            f"The plugin library {library} has no record ({path.name}).",
            "the record that is written with the library and goes where it goes.",
            commands.build_plugins(),
        ) from error
    except (OSError, ValueError, ValidationError) as error:
        raise SegppError(
            f"The plugin library's record {path} cannot be read.",
            "the record as `plugins build` wrote it.",
            "Delete it and build again: " + commands.build_plugins(),
        ) from error
