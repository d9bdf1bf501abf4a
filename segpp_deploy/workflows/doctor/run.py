"""What works on this machine, and what to install for the rest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from segpp_deploy import commands
from segpp_deploy.config import Automatic, Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.environment import Environment, describe_environment
from segpp_deploy.hardware.cpu import physical_cores
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS, TargetChoice, choose_target, open_target
from segpp_deploy.runtimes.target import TargetInfo
from segpp_deploy.workflows.doctor.plugin_status import PluginStatus, check_plugins

if TYPE_CHECKING:  # it loads what takes seconds
    from segpp_deploy.workflows.doctor.measure import DoctorMeasurement

_REPORT_MODULES = ("matplotlib", "jinja2")
_REPORT_INSTALL = "pip install 'segpp-deploy[report]'"


@dataclass(frozen=True)
class TargetStatus:
    """One target on this machine.

    Args:
        target: its name.
        runtime: the runtime's name.
        description: where it runs.
        works: whether engines can be built and run here.
        version: the runtime's version; None where it cannot even build.
        precisions: what engines can be built in here; () where the runtime is missing, and tables say what it would do.
        why_not: what is in the way.
        fix: the next step.
        builds: whether engines can be built here, to be run elsewhere if not here.
    """

    target: TargetName
    runtime: str
    description: str
    works: bool
    version: str | None
    precisions: tuple[Precision, ...] = ()
    why_not: str = ""
    fix: str = ""
    builds: bool = False

    @property
    def verdict(self) -> str:
        """What a person wants to know."""
        return "yes" if self.works else "builds only" if self.builds else "no"


@dataclass(frozen=True)
class DoctorResult:
    """The machine and what works on it.

    Args:
        environment: the machine.
        physical_cores: that compute.
        targets: all of them.
        auto: what `--target auto` chooses, and why.
        plugins: the library of TensorRT plugins.
        reports: whether HTML reports can be written.
        measured: what other targets and precisions gain here; None where that was not asked for.
    """

    environment: Environment
    physical_cores: int
    targets: tuple[TargetStatus, ...]
    auto: TargetChoice
    plugins: PluginStatus
    reports: bool
    measured: DoctorMeasurement | None = None

    @property
    def works(self) -> bool:
        """Whether at least one target works."""
        return any(status.works for status in self.targets)

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing besides."""
        return ()

    @property
    def faster(self) -> tuple[tuple[str, str], ...]:
        """What could be faster than float32 on the target of AUTO, and the next step; no numbers: none are known."""
        found = [("another target", self.auto.faster)] if self.auto.faster else []
        (chosen,) = [status for status in self.targets if status.target is self.auto.target]
        reduced = [precision for precision in chosen.precisions if precision is not Precision.FP32]
        if reduced and chosen.works:
            ranges = commands.RANGES if Precision.INT8 in reduced else None
            auto = commands.build_engine(precision=Automatic.AUTO, data=commands.DATASET, calibration=ranges)
            found.append((" or ".join(map(str, reduced)), f"the fastest that keeps its accuracy: {auto}"))
        if self.works and self.measured is None:
            found.append(("how much", f"on this machine: {commands.doctor(measure=True)}"))
        return tuple(found)

    def summary(self) -> str:
        """Return nothing: the tables say it all."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `doctor --json`."""
        return {
            "works": self.works,
            "auto_target": str(self.auto.target),
            "auto_why": self.auto.why,
            "faster": [{"what": what, "next_step": step} for what, step in self.faster],
            "measured": None if self.measured is None else self.measured.to_dict(),
            "targets": [asdict(status) for status in self.targets],
            "plugins": self.plugins.to_dict(),
            "reports": self.reports,
            "physical_cores": self.physical_cores,
            "environment": asdict(self.environment),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the machine, the targets, and the next steps where there are any."""
        text = Column("", is_number=False)
        headings = ("target", "works", "runtime", "where it runs", "precisions")
        targets = Table("Targets", tuple(Column(name, is_number=False) for name in headings), self._target_rows())
        tables = [Table("Machine", (text, text), self._machine_rows()), targets]
        steps = tuple((str(status.target), status.why_not, status.fix) for status in self.targets if not status.works)
        steps += self.plugins.missing_rows()
        if not self.reports:
            steps += (("HTML reports", f"{' or '.join(_REPORT_MODULES)} is not installed.", _REPORT_INSTALL),)
        if steps:
            columns = tuple(Column(name, is_number=False) for name in ("for", "in the way", "next step"))
            tables.append(Table("What is missing", columns, steps))
        if self.faster:
            tables.append(Table("What could be faster", (text, text), self.faster))
        if self.measured is not None:
            tables.append(self.measured.table())
        return tuple(tables)

    def _machine_rows(self) -> tuple[tuple[str, str], ...]:
        found = self.environment
        memory = "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 2**30:.1f} GiB"
        gpus = [
            f"{gpu.name} (compute capability {gpu.compute_capability}, driver {gpu.driver_version})"
            for gpu in found.gpus
        ]
        return (
            ("CPU", found.cpu),
            ("cores", f"{self.physical_cores} physical, {found.cpu_cores} logical"),
            ("instruction sets", ", ".join(found.cpu_features) or "none of those that matter here"),
            ("memory", memory),
            ("GPU", "; ".join(gpus) or "no NVIDIA GPU found"),
            ("system", f"{found.os}, {found.machine}"),
            *self.plugins.rows(),
            ("Python", found.python),
            ("packages", ", ".join(f"{name} {version}" for name, version in found.packages.items())),
        )

    def _target_rows(self) -> tuple[tuple[str, ...], ...]:
        return tuple(
            (
                f"{status.target} (auto)" if status.target is self.auto.target and status.works else str(status.target),
                status.verdict,
                f"{status.runtime} {status.version or ''}".strip(),
                status.description,
                ", ".join(map(str, status.precisions or TARGETS[status.target].precisions)),
            )
            for status in self.targets
        )


def run_doctor(measure: bool = False, progress: Progress = no_progress) -> DoctorResult:
    """Try every target's runtime.

    Args:
        measure: also time what the CPU's targets and precisions gain, on the shipped model; else nothing is built.
        progress: told about each step of that.

    Raises:
        SegppError: there is nothing to measure.
    """
    environment = describe_environment()
    measured = None
    if measure:
        from segpp_deploy.workflows.doctor.measure import measure_targets

        measured = measure_targets(progress)
    return DoctorResult(
        environment=environment,
        physical_cores=physical_cores(),
        targets=tuple(check_target(info) for info in TARGETS.values()),
        auto=choose_target(),
        plugins=check_plugins(gpu.compute_capability for gpu in environment.gpus),
        reports=all(find_spec(module) for module in _REPORT_MODULES),
        measured=measured,
    )


def check_target(info: TargetInfo) -> TargetStatus:
    """Return whether a target's runtime is there and can be used."""
    version: str | None = None
    precisions: tuple[Precision, ...] = ()
    try:
        target = open_target(info.name)
        precisions = target.usable_precisions()
        version = target.runtime_facts().version
        target.require_device()
    except SegppError as error:
        builds = version is not None and info.builds_elsewhere
        return TargetStatus(
            info.name, info.runtime, info.description, False, version, precisions, error.what, error.fix, builds
        )
    return TargetStatus(info.name, info.runtime, info.description, True, version, precisions, builds=True)
