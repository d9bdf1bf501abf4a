"""The Python API of a flavour, what it has to say, and the facts of its installation."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import TargetInfo, import_runtime
from segpp_deploy.runtimes.tensorrt.info import TENSORRT, TENSORRT_RTX

_FLAVOURS = {info.name: info for info in (TENSORRT, TENSORRT_RTX)}
_CUDA_MAJORS = (13, 12)
# Older ones would build networks that are not strongly typed, in another precision than the graph's.
_OLDEST = {TargetName.TENSORRT: "10.3", TargetName.TENSORRT_RTX: "1.4"}
_MAX_REASONS = 3


@dataclass(frozen=True)
class TensorRt:
    """One flavour, imported.

    Args:
        info: its target; says which of the two it is and what it can do.
        api: the module `tensorrt` or `tensorrt_rtx`.
        log: what the library reported since it was imported here.
    """

    info: TargetInfo
    api: Any
    log: MessageLog
    logger: Any = field(repr=False)

    @property
    def version(self) -> str:
        """The library's version."""
        return str(self.api.__version__)

    @property
    def cuda(self) -> str | None:
        """Major version of CUDA the installed package was made for; None where the system installed it."""
        for major in _CUDA_MAJORS:
            try:
                metadata.distribution(f"{self.info.module.replace('_', '-')}-cu{major}")
            except metadata.PackageNotFoundError:
                continue
            return str(major)
        return None

    def error(self, what: str, expected: str, fix: str) -> SegppError:
        """Return an error that ends in the library's own reasons."""
        return SegppError(f"{what}: {self.log.reasons()}", expected, fix)


@dataclass
class MessageLog:
    """Errors and warnings in the library's words, oldest first."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def reasons(self) -> str:
        """Return the first errors in one line, which are the causes of those that follow."""
        return "; ".join(dict.fromkeys(self.errors[:_MAX_REASONS])) or "it gave no reason"

    def clear(self) -> None:
        """Forget everything."""
        self.errors.clear()
        self.warnings.clear()


def import_tensorrt(name: TargetName) -> TensorRt:
    """Import the flavour of a target.

    Raises:
        SegppError: it is not installed, cannot be loaded, or is too old.
    """
    info = _FLAVOURS[name]
    api = import_runtime(info)
    if _version_key(api.__version__) < _version_key(_OLDEST[name]):
        raise SegppError(
            f"{info.runtime} {api.__version__} is too old.",
            f"{info.runtime} {_OLDEST[name]} or newer.",
            info.install_command.replace("install", "install -U"),
        )
    log = MessageLog()
    return TensorRt(info, api, log, make_logger(api, log))


def make_logger(api: Any, log: MessageLog) -> Any:
    """Return the library's `ILogger` that writes into `log`."""
    severities = api.ILogger

    class Collector(api.ILogger):  # type: ignore[misc]
        """Keeps what matters instead of printing it."""

        def __init__(self) -> None:
            api.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (severities.ERROR, severities.INTERNAL_ERROR):
                log.errors.append(one_line(Exception(message)))
            elif severity == severities.WARNING:
                log.warnings.append(one_line(Exception(message)))

    return Collector()


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
