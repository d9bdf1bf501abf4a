"""The files of a search: the chosen plan, the result for scripts, and the same as Markdown and as a page."""

from __future__ import annotations

from pathlib import Path

import yaml

from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_text
from segpp_deploy.model.plan_file import plan_to_dict
from segpp_deploy.report.charts import ChartPoint, draw_tradeoff
from segpp_deploy.report.html import Section, render_page
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.workflows.tune.result import TuneResult

_TITLE = "Merge plans for this model, data and machine"


def write_report(result: TuneResult, folder: Path) -> tuple[str, ...]:
    """Write plan.yaml, tune.json, tune.md and, where its libraries are installed, tune.html.

    Returns:
        What the user should know: why there is no page.
    """
    plan = result.choice.trial.candidate.plan
    write_text(result.plan_path, f"# {plan.name}\n{yaml.safe_dump(plan_to_dict(plan), sort_keys=False)}")
    write_text(folder / "tune.json", to_json(result.to_dict()) + "\n")
    lead = f"{describe_conditions(result)}\n\n{result.summary().splitlines()[0]}."
    notes = [f"* {note}" for note in result.notes]
    tables = [f"## {table.title}\n\n{to_markdown(table)}" for table in result.tables()]
    commands = "```sh\n" + "\n".join(result.commands()) + "\n```"
    write_text(folder / "tune.md", "\n\n".join([f"# {_TITLE}", lead, "\n".join(notes), *tables, commands]) + "\n")
    try:
        write_text(folder / "tune.html", _render(result, lead))
    except SegppError as error:  # the result is worth more than its page
        return (f"{error.what} There is no tune.html, then: install {error.expected}",)
    return ()


def describe_conditions(result: TuneResult) -> str:
    """Return what was measured on what, in a sentence or two."""
    machine, metric = result.environment, result.reference.headline.name
    how = f"timed in turns on {machine.cpu} ({machine.cpu_cores} cores)"
    if result.options.gpu is not None:
        how = f"with latencies that a cost model makes of the peaks of {result.options.gpu}; nothing was measured there"
    return (
        f"Wanted: {result.options.goal}. {len(result.trials)} candidates were tried, {how}. Points of {metric} are "
        f"lost against the float32 original on {result.reference.samples} pictures; the choice was to be confirmed on "
        f"{result.held_out} held-out ones. segpp-deploy {machine.tool_version}."
    )


def _render(result: TuneResult, lead: str) -> str:
    front = result.front
    points = [
        ChartPoint(
            trial.candidate.plan.name if trial in front else "",
            result.latency_ms(trial),
            -trial.loss,
            is_baseline=trial not in front,
        )
        for trial in result.complete
    ]
    metric = result.reference.headline.name
    chart = draw_tradeoff(points, "latency in ms", f"points of {metric} over the original's")
    first, *others = result.tables()
    sections = [
        Section("Pareto front", "\n".join(result.notes), first),
        Section("Accuracy and latency", "Grey: what something else beats on both.", chart_svg=chart),
        *(Section(table.title, table=table) for table in others),
        Section("Make it", commands=result.commands()),
    ]
    return render_page(_TITLE, lead, sections)
