"""The report of an engine in reduced precision: what it lost, which layers stayed higher and why, what each costs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.engine.precision_record import KeptLayers, KeptReason
from segpp_deploy.files import require_writable, write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.report.charts import draw_bars
from segpp_deploy.report.extra import import_report_library
from segpp_deploy.report.html import Section, render_page
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.numbers import format_agreement, format_percent, format_score
from segpp_deploy.report.tables import Column, Table, to_markdown
from segpp_deploy.tasks.registry import TASKS
from segpp_deploy.tuning.accuracy_gate import GateResult
from segpp_deploy.tuning.int8_layers import WORTH, KindCost
from segpp_deploy.tuning.sensitivity import GroupSensitivity
from segpp_deploy.tuning.speed_profile import GroupTime, SpeedProfile
from segpp_deploy.workflows.precisions import candidates_table

REPORT_NAME = "precision.html"


@dataclass(frozen=True)
class PrecisionReport:
    """What was found on the way to an engine.

    Args:
        engine: the engine file.
        metadata: of the float32 export.
        manifest: of the engine.
        costs: what each kind of layers costs in int8, where it was measured.
        gate: how the accuracy gate went; None without one.
        profile: why it is as fast as it is beside float32; None where that was not measured.
    """

    engine: Path
    metadata: ExportMetadata
    manifest: Manifest
    costs: tuple[KindCost, ...]
    gate: GateResult | None
    profile: SpeedProfile | None = None

    def tables(self) -> tuple[Table, ...]:
        """Return all figures as tables."""
        return tuple(section.table for section in self._sections() if section.table is not None)

    def page(self) -> str:
        """Return the HTML page."""
        return render_page(self._title(), self._lead(), self._sections(with_charts=True))

    def markdown(self) -> str:
        """Return the same without the charts."""
        parts = [f"# {self._title()}", self._lead()]
        for section in self._sections():
            table = [to_markdown(section.table)] if section.table else []
            parts += [f"## {section.heading}", *([section.text] if section.text else []), *table]
        return "\n\n".join(parts) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the manifest's record, and the figures of the tables."""
        record, gate = self.manifest.precision_record, self.gate
        choice = self.manifest.automatic.precision
        return {
            "automatic": None if choice is None else choice.model_dump(mode="json"),
            "record": None if record is None else record.model_dump(mode="json"),
            "per_class": None if gate is None else {name: list(both) for name, both in gate.per_class.items()},
            "sensitivity": [] if gate is None else [_sensitivity_values(one) for one in gate.sensitivity],
            "int8_layers": [asdict(cost) for cost in self.costs],
            "profile_ms": None if self.profile is None else [asdict(group) for group in self.profile.groups],
        }

    def _title(self) -> str:
        return f"{self.engine.name}: {self.metadata.arch} {self.metadata.mode} in {self.manifest.precision}"

    def _lead(self) -> str:
        runtime = f"Target {self.manifest.target}, {self.manifest.runtime.name} {self.manifest.runtime.version}."
        record = self.manifest.precision_record
        if record is None or record.speedup_over_fp32 is None:
            return runtime
        return f"{runtime} {describe_speedup(record.speedup_over_fp32, self.manifest.precision)}"

    def _sections(self, with_charts: bool = False) -> list[Section]:
        sections = [Section("Layers in a higher precision", table=_kept_table(self._kept()))]
        choice = self.manifest.automatic.precision
        if self.gate is not None:
            sections = [
                Section("Accuracy", text=self._verdict(), table=_gate_table(self.gate)),
                Section("Accuracy by class", table=_class_table(self.gate)),
                *sections,
            ]
        if choice is not None:
            sections.insert(
                0,
                Section("Precisions", text=f"Chosen: {choice.precision}, {choice.why}", table=candidates_table(choice)),
            )
        if self.gate is not None and self.gate.sensitivity:
            counted = TASKS[self.metadata.task].counted
            sections.append(
                Section(
                    "Sensitivity",
                    text=f"Share of the {counted} that change when one group of layers alone is reduced.",
                    table=_sensitivity_table(self.gate),
                    chart_svg=_sensitivity_chart(self.gate) if with_charts else "",
                )
            )
        if self.costs:
            text = (
                f"Each kind of layers taken out of int8 in turn, measured side by side on this machine. A kind that "
                f"makes the engine {100 * (WORTH - 1):.0f} % faster by staying out stays out; from the second on, each "
                "is measured beside what the earlier ones left."
            )
            sections.append(Section("Where int8 pays", text=text, table=_cost_table(self.costs)))
        if self.profile is not None:
            sections.append(
                Section("Where the time goes", text=self.profile.explain(), table=_profile_table(self.profile))
            )
        return sections

    def _kept(self) -> tuple[KeptLayers, ...]:
        record = self.manifest.precision_record
        return () if record is None else record.kept

    def _verdict(self) -> str:
        assert self.gate is not None
        outcome = self.gate.outcome
        return (
            f"On {outcome.images} pictures of {outcome.data}, computed by the target {outcome.judged_on}. The gate "
            f"allows a loss of {outcome.allowed_points:g} points."
        )


def write_report(report: PrecisionReport, folder: Path) -> None:
    """Write precision.html, precision.md and precision.json.

    Raises:
        SegppError: the folder cannot be written, or a library of the extra `report` is missing.
    """
    values = report.to_dict()
    page, text, data = report.page(), report.markdown(), to_json(values)
    write_text(folder / REPORT_NAME, page)
    write_text(folder / "precision.md", text)
    write_text(folder / "precision.json", data)


def describe_speedup(speedup: float, precision: Precision) -> str:
    """Return a sentence on how fast an engine is beside float32."""
    slow = "" if speedup >= 1 else f" Build in {Precision.FP32}, unless it is for another machine."
    return f"In {precision} it runs {speedup:.2f} times as fast as in float32 on this machine.{slow}"


def require_report(folder: Path) -> None:
    """Check at the start what is needed at the end.

    Raises:
        SegppError: a library of the extra `report` is missing, or the folder cannot be written.
    """
    require_writable(folder / REPORT_NAME)
    import_report_library("jinja2")
    import_report_library("matplotlib")


def _gate_table(gate: GateResult) -> Table:
    outcome = gate.outcome
    rows = (
        (f"{outcome.reference.name}, float32", format_score(outcome.reference)),
        (f"{outcome.engine.name}, engine", format_score(outcome.engine)),
        ("points lost", f"{outcome.lost_points:.2f}"),
        (f"{outcome.agreement.name} with float32", format_agreement(outcome.agreement.value)),
    )
    return Table("Accuracy", (Column("measure", False), Column("value")), rows)


def _class_table(gate: GateResult) -> Table:
    columns = (Column("class", False), Column("float32"), Column("engine"), Column("points"))
    rows = tuple(
        (name, format_percent(before), format_percent(after), f"{100 * (after - before):+.2f}")
        for name, (before, after) in gate.per_class.items()
    )
    return Table("Accuracy by class", columns, rows)


def _kept_table(kept: tuple[KeptLayers, ...]) -> Table:
    columns = (Column("why", False), Column("layers", False), Column("latency"))
    rows = tuple((one.reason.description, _summarise(one), _cost(one)) for one in kept)
    return Table("Layers in a higher precision", columns, rows)


def _summarise(kept: KeptLayers) -> str:
    shown = ", ".join(kept.names[:4])
    return shown if len(kept.names) <= 4 else f"{shown} and {len(kept.names) - 4} more"


def _cost(kept: KeptLayers) -> str:
    return "not measured" if kept.cost_percent is None else f"{kept.cost_percent:+.1f} %"


def _sensitivity_table(gate: GateResult) -> Table:
    returned = _returned(gate)
    columns = (Column("layers", False), Column("number"), Column("changed"), Column("precision", False))
    rows = tuple(
        (
            one.group.name,
            str(len(one.group.layers)),
            format_percent(one.changed, 3),
            "higher" if one.group.name in returned else str(gate.recipe.precision),
        )
        for one in gate.sensitivity
    )
    return Table("Sensitivity", columns, rows)


def _sensitivity_chart(gate: GateResult) -> str:
    labels = [one.group.name for one in gate.sensitivity]
    values = [100 * one.changed for one in gate.sensitivity]
    return draw_bars(labels, values, "changed, %", _returned(gate))


def _returned(gate: GateResult) -> frozenset[str]:
    names = {name for one in gate.kept if one.reason is KeptReason.SENSITIVITY for name in one.names}
    return frozenset(one.group.name for one in gate.sensitivity if one.group.layers <= names)


def _sensitivity_values(one: GroupSensitivity) -> dict[str, Any]:
    return {"group": one.group.name, "layers": sorted(one.group.layers), "changed": one.changed}


def _profile_table(profile: SpeedProfile) -> Table:
    columns = (Column("operations", False), Column("ms, float32"), Column(f"ms, {profile.precision}"), Column("ratio"))
    rows = tuple(
        (str(one.group), f"{one.float32_ms:.1f}", f"{one.engine_ms:.1f}", _ratio(one)) for one in profile.groups
    )
    return Table("Where the time goes", columns, rows)


def _ratio(time: GroupTime) -> str:
    return f"{time.ratio:.2f}x" if math.isfinite(time.ratio) else "-"


def _cost_table(costs: tuple[KindCost, ...]) -> Table:
    columns = (Column("kind", False), Column("speed without it"), Column("in int8", False))
    rows = tuple((str(one.kind), f"{one.speedup_without:.2f}x", "no" if one.left_out else "yes") for one in costs)
    return Table("Where int8 pays", columns, rows)
