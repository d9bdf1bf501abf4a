"""Write docs/measurements.md from the recorded results; a result that was not recorded has no section.

python -m benchmarks.pages.measurements
"""

from __future__ import annotations

import json

from benchmarks.arguments import parse_parts
from benchmarks.measure import (
    calibration_methods,
    camvid,
    comparison,
    cpu_ratios,
    depth,
    gate_time,
    gpu_kernels,
    int8_speed,
    large_pictures,
    memory,
    openvino_forms,
    parity,
    peers,
    portability,
    precision_accuracy,
    precision_portability,
    rtx_engines,
    rtx_kernels,
    scaling,
    torch_forms,
    video_reuse,
)
from benchmarks.recording import RESULTS, ROOT, Document, machines_of
from benchmarks.section import Benchmark, Section, result_name
from benchmarks.toolchain import (
    aarch64_suite,
    distributions,
    fleet,
    live_streams,
    lowest_versions,
    mutations,
    served_models,
)
from segpp_deploy.files import write_text
from segpp_deploy.report.tables import to_markdown

PAGE = ROOT / "docs/measurements.md"
INTRODUCTION = """\
# Measurements

<!-- written by benchmarks/pages/measurements.py; edits here are lost -->

Recorded by the scripts in [benchmarks](../benchmarks), which also hold the bars and fail where one is missed. They are
for the machine and the versions named; measure on yours."""
BENCHMARKS: tuple[Benchmark, ...] = (
    peers,
    cpu_ratios,
    openvino_forms,
    torch_forms,
    comparison,
    scaling,
    depth,
    camvid,
    parity,
    portability,
    large_pictures,
    rtx_engines,
    rtx_kernels,
    calibration_methods,
    precision_accuracy,
    int8_speed,
    precision_portability,
    gate_time,
    memory,
    video_reuse,
    gpu_kernels,
    served_models,
    fleet,
    live_streams,
    mutations,
    lowest_versions,
    aarch64_suite,
    distributions,
)
"""In the order of the page."""


def render_page(documents: dict[str, Document]) -> str:
    """Return the page for the contents of result files by name."""
    parts = [INTRODUCTION]
    for benchmark in BENCHMARKS:
        if document := documents.get(result_name(benchmark)):
            parts += render_section(benchmark, document)
    return "\n\n".join(parts) + "\n"


def render_section(benchmark: Benchmark, document: Document) -> list[str]:
    """Return heading, text, tables and conditions."""
    section = benchmark.SECTION
    parts = [f"## {section.heading}", section.text.format(**document)]
    groups = [(document["environment"], document["rows"])]
    if section.machines_apart:
        groups = machines_of(document)
    for machine, rows in groups:
        if len(groups) > 1:
            parts.append(f"**On {describe_system(section, machine)}:**")
        for table in section.tables(rows):
            parts += [f"### {table.title}"] if table.title else []
            parts.append(to_markdown(table))
    return [*parts, describe_conditions(benchmark, document)]


def describe_conditions(benchmark: Benchmark, document: Document) -> str:
    """Return when, where and with what the figures were taken."""
    result = f"{result_name(benchmark)}.json"
    script = f"`python -m {benchmark.__name__}`, [{result}](../benchmarks/results/{result})"
    places = []
    for machine, rows in machines_of(document):
        commits = dict.fromkeys(str(row.get("commit", document["commit"])) for row in rows)
        measured = max((str(row["measured"]) for row in rows if "measured" in row), default=document["measured"])
        system = describe_system(benchmark.SECTION, machine)
        places.append(f"{measured}, commit {', '.join(commits)}: {system}")
    return f"{script}, {'; '.join(places)}."


def describe_system(section: Section, machine: Document) -> str:
    """Return a machine and the versions that matter."""
    packages = machine["packages"]
    versions = ", ".join(f"{package} {packages[package]}" for package in section.packages if package in packages)
    memory_size = f"{machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else "unknown memory"
    cpu = f"{machine['cpu']}, {machine['cpu_cores']} cores"
    if section.names_cpu_features:
        cpu += f" with {' '.join(machine['cpu_features'])}"
    return ", ".join((cpu, memory_size, machine["os"], machine["python"], *([versions] if versions else [])))


def read_results() -> dict[str, Document]:
    """Return the result files that exist, by name."""
    paths = {name: RESULTS / f"{name}.json" for name in map(result_name, BENCHMARKS)}
    return {name: json.loads(path.read_text(encoding="utf-8")) for name, path in paths.items() if path.exists()}


def main() -> None:
    parse_parts(__doc__)
    write_text(PAGE, render_page(read_results()))


if __name__ == "__main__":
    main()
