"""The record beside every engine file, `ENGINE.json`: what it is, what it was built from, and what it needs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, InstanceOf, PlainSerializer, ValidationError

from segpp_deploy import commands
from segpp_deploy.config import Precision
from segpp_deploy.engine.automatic_choice import AutomaticChoice
from segpp_deploy.engine.precision_record import PrecisionRecord
from segpp_deploy.errors import CommandText, SegppError, first_problem, quote
from segpp_deploy.files import MalformedFileError, read_json, require_file
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.target import EngineSettings, Payload, RuntimeFacts

SCHEMA_VERSION: Final = 1
_CHECKSUM = "checksum"
_WHERE = "the manifest"

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MetadataField = Annotated[
    InstanceOf[ExportMetadata],
    BeforeValidator(lambda value: ExportMetadata.from_dict(value, _WHERE) if isinstance(value, dict) else value),
    PlainSerializer(lambda metadata: metadata.to_dict()),
]


class Manifest(BaseModel):
    """One engine's record.

    Args:
        schema_version: of this record.
        target: what the engine was built for; never AUTO.
        payload: what the engine file holds.
        runtime: what it was built with, and needs.
        precision: number format of the heavy layers.
        threads: CPU threads; None = one per physical core.
        builder: what the builder of a GPU target was asked for.
        layer_types: of compiled engines: heavy layers by kind and number format, as read back from the network.
        tried: whether the engine was run after the build; not where the GPU it is for was missing.
        source: the ONNX file as the user named it.
        source_sha256: its hash.
        engine_sha256: hash of the engine file.
        size_bytes: size of the engine file.
        input: the input tensor.
        outputs: the output tensors.
        build_seconds: how long the build took.
        created: when it ended, UTC, ISO 8601.
        metadata: the facts of the graph that was built; of the export, but for its precision.
        precision_record: how a reduced precision came about; None where the graph was built as exported.
        automatic: what the user left to the program, and why it chose what it did.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    target: TargetName
    payload: Payload
    runtime: RuntimeFacts
    precision: Precision
    threads: int | None
    builder: BuilderOptions
    layer_types: dict[str, dict[str, int]]
    tried: bool
    source: str
    source_sha256: Sha256
    engine_sha256: Sha256
    size_bytes: int
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    build_seconds: float
    created: str
    metadata: MetadataField
    precision_record: PrecisionRecord | None
    automatic: AutomaticChoice = AutomaticChoice()

    @property
    def settings(self) -> EngineSettings:
        """What decides how the engine computes."""
        return EngineSettings(self.precision, self.threads, self.builder)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json")

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about an engine that could not be tried."""
        if self.tried:
            return ()
        return (f"The engine was not tried: it needs {self._gpu}.",)

    @property
    def needs(self) -> str:
        """What the engine runs with, as a sentence."""
        device = f" and {self._gpu}" if self.runtime.compute_capabilities else ""
        return f"{self.runtime.name} {self.runtime.version}{device}, as when it was built."

    @property
    def _gpu(self) -> str:
        return f"an NVIDIA GPU of compute capability {', '.join(self.runtime.compute_capabilities)}"

    def rebuild_command(self, engine: Path) -> CommandText:
        """Return the command that builds this engine again."""
        record = self.precision_record
        is_chosen = record is not None or self.precision is not self.metadata.precision
        options = {} if record is None else record.to_options()
        precision = self.precision if is_chosen else None
        options |= self.builder.to_options()
        return commands.build_engine(self.source, engine, target=self.target, precision=precision, **options)


def manifest_path(engine: Path) -> Path:
    """Return where the manifest of an engine file lies.

    Example:
        >>> manifest_path(Path("b0.engine")).name
        'b0.engine.json'
    """
    return engine.with_name(engine.name + ".json")


def dump_manifest(manifest: Manifest) -> str:
    """Return the manifest file's text; it ends with a checksum, so that edits by hand do not go unnoticed."""
    values = manifest.to_dict()
    return json.dumps({**values, _CHECKSUM: _checksum(values)}, indent=2) + "\n"


def read_manifest(engine: Path) -> Manifest:
    """Read the manifest of an engine file, without looking into the engine file.

    Raises:
        SegppError: the engine or its manifest is missing, the manifest is not JSON, was edited, or comes from another
            version of this program.
    """
    build = _build_command(engine)
    require_file(engine, "engine file", build)
    path = manifest_path(engine)
    if not path.exists():
        raise _missing_manifest(engine, path)
    try:
        values = read_json(path)
    except MalformedFileError as error:
        raise _bad_manifest(engine, f"{path} is not JSON: {error}.", None) from error
    if not isinstance(values, dict):
        raise _bad_manifest(engine, f"{path} holds no mapping.", None)
    return _parse(engine, path, values)


def _parse(engine: Path, path: Path, values: dict[str, Any]) -> Manifest:
    checksum = values.pop(_CHECKSUM, None)
    version = values.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise _bad_manifest(engine, f"{path} was written by a newer segpp-deploy (record {quote(version)}).", values)
    if checksum != _checksum(values):
        raise _bad_manifest(engine, f"{path} was changed after the build.", values)
    try:
        manifest = Manifest.model_validate(values)
    except (ValidationError, SegppError) as error:
        what = error.what if isinstance(error, SegppError) else f"{first_problem(error)}."
        raise _bad_manifest(engine, f"{path} cannot be read: {what}", values) from error
    if manifest.payload is not TARGETS[manifest.target].payload:
        raise _bad_manifest(engine, f"{path} says that {manifest.target} engines hold {manifest.payload}.", values)
    return manifest


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _missing_manifest(engine: Path, path: Path) -> SegppError:
    if engine.suffix == ".json":
        return SegppError(
            f"{engine} looks like a manifest, not like an engine.", "the engine file.", f"Name {engine.stem} instead."
        )
    if engine.suffix == ".onnx":
        build = "Build an engine: " + _build_command(engine.with_suffix(".engine"), engine)
        return SegppError(f"{engine} has no manifest ({path.name}).", "an engine file.", build)
    return _bad_manifest(engine, f"{engine} has no manifest: {path} is missing.", None)


def _bad_manifest(engine: Path, what: str, values: dict[str, Any] | None) -> SegppError:
    known = values or {}
    again = "Build it again: " + _build_command(engine, known.get("source"), known.get("target"))
    return SegppError(what, "the manifest that build-engine wrote beside the engine.", again)


def _build_command(engine: Path, source: object = None, target: object = None) -> CommandText:
    return commands.build_engine(source or commands.GRAPH, engine, target=target or None)
