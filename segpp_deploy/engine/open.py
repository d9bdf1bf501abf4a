"""From an engine file to something that runs, once it is known to be whole and to fit the runtime and the GPU here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.engine.manifest import Manifest, read_manifest
from segpp_deploy.errors import CommandText, SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.registry import open_target
from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions
from segpp_deploy.runtimes.target import Payload, RuntimeFacts, Target

_HASH_DIGITS = 12  # enough to tell two libraries apart


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

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute, and return every output: the confidence behind the labels, where it was exported."""
        return self._session.run_all(images)

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


def verify_engine(engine: Path) -> Manifest:
    """Return an engine's manifest after checking the file, the runtime and the GPU, before anything loads the file.

    Raises:
        SegppError: what `read_manifest` raises; the file was cut short or changed; its runtime or its GPU is missing
            or differs from what it was built for. The message names each difference and the command that builds it
            again.
    """
    manifest = read_manifest(engine)
    find_target(engine, manifest)
    return manifest


def find_target(engine: Path, manifest: Manifest) -> Target:
    """Return the target that loads an engine, after checking what `verify_engine` checks once the manifest is read.

    Raises:
        SegppError: see `verify_engine`.
    """
    require_whole(engine, manifest)
    target = open_target(manifest.target)
    check_runtime(engine, manifest, target.runtime_facts(), manifest.rebuild_command(engine))
    try:
        target.require_device()
    except SegppError as error:
        raise SegppError(f"{engine} cannot run here: {error.what}", manifest.needs, error.fix) from error
    return target


def require_whole(engine: Path, manifest: Manifest) -> None:
    """Check that an engine file is the one that was built, whether it could run here or not.

    Raises:
        SegppError: it was cut short or changed.
    """
    size = engine.stat().st_size
    if size != manifest.size_bytes or sha256_of(engine) != manifest.engine_sha256:
        what = "was changed" if size == manifest.size_bytes else f"has {size} bytes"
        raise SegppError(
            f"{engine} is not the file that was built: it {what}.",
            f"the {manifest.size_bytes} bytes its manifest describes.",
            "Copy it again together with its manifest, or build it again: " + manifest.rebuild_command(engine),
        )


def check_runtime(engine: Path, manifest: Manifest, present: RuntimeFacts, rebuild: CommandText) -> None:
    """Compare what an engine needs with what is here. The driver may differ: newer ones run older engines.

    Args:
        engine: the engine file.
        manifest: its record.
        present: the runtime here.
        rebuild: the command that builds the engine again.

    Raises:
        SegppError: something differs that matters.
    """
    differences = _compare(manifest.runtime, present)
    if differences:
        advice = "Build it again: " + rebuild
        if manifest.runtime.plugin_sha256 and not present.plugin_sha256:
            alone = manifest.payload is Payload.ONNX  # what computes custom nodes of ONNX are the kernels
            advice = "Build the plugins: " + commands.build_plugins(kernels=alone) + ". " + advice
        raise SegppError(
            f"{engine} was built for another runtime: {present.name} {'; '.join(differences)}.",
            manifest.needs,
            advice,
        )


def _compare(built: RuntimeFacts, here: RuntimeFacts) -> list[str]:
    """Describe each difference; what is not known on one side (no GPU, CUDA of the system) is no difference."""
    found = []
    if (built.name, built.version) != (here.name, here.version):
        name = f"{built.name} " if built.name != here.name else ""
        found.append(f"version {name}{built.version}, here {here.version}")
    if built.cuda and here.cuda and built.cuda != here.cuda:
        found.append(f"cuda {built.cuda}, here {here.cuda}")
    if built.compute_capabilities and not set(here.compute_capabilities) <= set(built.compute_capabilities):
        wanted, present = ", ".join(built.compute_capabilities), ", ".join(here.compute_capabilities)
        found.append(f"compute capability {wanted}, here {present}")
    if built.plugin_sha256 and built.plugin_sha256 != here.plugin_sha256:
        present = here.plugin_sha256[:_HASH_DIGITS] if here.plugin_sha256 else "none"
        found.append(f"plugin library {built.plugin_sha256[:_HASH_DIGITS]}, here {present}")
    return found
