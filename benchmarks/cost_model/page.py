"""Write docs/cost-model.md: what merging costs and gains on GPUs, on paper.

python -m benchmarks.cost_model.page            write the page and its picture
python -m benchmarks.cost_model.page --check    fail where they are not what the model says
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Sequence

from benchmarks.arguments import make_parser
from benchmarks.cost_model.bodies import Body, read_bodies
from benchmarks.cost_model.conclusions import conclude, pays_table
from benchmarks.cost_model.stages import stage_cases
from benchmarks.cost_model.tables import (
    ARCHS,
    SIZES,
    encoder_table,
    gpu_table,
    launch_table,
    portable_table,
    time_table,
    work_table,
)
from benchmarks.modes import COMPARED_MODES
from benchmarks.recording import ROOT
from segpp_deploy.files import write_text
from segpp_deploy.model.work import SOFTMAX_OPERATIONS, Part
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.tuning.search.peaks import GPUS, LAUNCH_OVERHEAD_S

PAGE = ROOT / "docs/cost-model.md"
PICTURE = ROOT / "docs/images/cost-model.svg"
DRAWN_GPU, DRAWN_SIZE = GPUS[0], SIZES[-1]
COLOURS = {
    Part.MATCH: "#c0504d",
    Part.MERGE: "#e39c5a",
    Part.UNMERGE: "#f2d16b",
    Part.ATTENTION: "#2f6f4f",
    Part.REST: "#c9ced6",
}
INTRODUCTION = f"""\
# The cost of merging, on paper

<!-- written by benchmarks/cost_model/page.py; edits here are lost -->

**This is a model, not a measurement.** It says what bandwidth and arithmetic allow, from the shapes of the network and
the published peaks of three GPUs, and so where merging can pay and where it cannot. Measured figures are in
[measurements](measurements.md).

How it counts, for float16 and one image:

* A kernel reads its inputs once and writes its outputs once. Its time is the longest of bytes / bandwidth, tensor-core
  operations / their peak, and other operations / the float32 peak. No kernel reaches these peaks; ratios are more
  trustworthy than times. Caches are left out: on GPUs with tens of MB of L2 small tensors never reach memory.
* The *attention block* is what merging changes: query, key and value projections, attention, output projection with the
  residual, and match, merge and unmerge. Norms, spatial reduction and feed-forward come in only in the totals of the
  encoder; patch embeddings and head are the same in every mode and left out.
* Attention is fused (queries, keys, values and result are moved, scores are not; {SOFTMAX_OPERATIONS} operations a
  score for the softmax). Where a runtime writes the score matrix, that is *unfused*.
* The network is the folded one: in stage 1 the output projection is part of the values.
* A launch costs {LAUNCH_OVERHEAD_S * 1e6:.0f} µs (start and drain of a small kernel in a replayed CUDA graph) where a
  column says so: an assumption. That ours overlap on an H100 is not counted, nor how long blocks of one
  launch wait for each other. *Breaks even* is what a launch may cost before merging gains nothing. The selection of
  the match, which one block does for an image, may take longer than its bytes say.
* Changes of layout around the pooling of `2x2` are taken as free."""


def render_page(bodies: Sequence[Body]) -> str:
    """Return the page."""
    parts = [INTRODUCTION, "## Where it pays", "Conclusions of the model, from the tables below:"]
    parts.append("\n".join(f"* {sentence}" for sentence in conclude(bodies)))
    parts += [
        "For which backbones and sizes the attention blocks of a stage become faster, launch overhead included, and "
        "how many times as fast they are (the slowest and the fastest combination):",
        to_markdown(pays_table()),
        f"![Encoder layers on {DRAWN_GPU.name} at {DRAWN_SIZE}, by part](images/{PICTURE.name})",
        "## All encoder layers",
        "Modelled times and speed-ups over `original`.",
        to_markdown(encoder_table()),
        "## Launches in a layer",
        "Kernels that merging adds. A portable node is a kernel if the runtime fuses nothing; counted in exported "
        f"graphs ({SIZES[0]}; match + merge + unmerge), [portable_bodies.json]"
        "(../benchmarks/results/portable_bodies.json). Mode `2x2` adds pool and resize in both lowerings.",
        to_markdown(launch_table(bodies)),
        "## Bytes of merging: plugins and portable nodes",
        "One layer that matches. Portable: the inputs and outputs of every node as exported, in float32.",
        to_markdown(portable_table(bodies)),
    ]
    for arch in ARCHS:
        for size in SIZES:
            parts += [
                f"## {arch.value.upper()} at {size}",
                "Bytes and operations of the first layer of each stage (it always matches):",
                to_markdown(work_table(arch, size)),
                "Modelled times of the attention blocks of all layers of the stage:",
                to_markdown(time_table(arch, size)),
            ]
    parts += ["## Published figures", to_markdown(gpu_table())]
    return "\n\n".join(parts) + "\n"


def encoder_parts() -> dict[str, dict[str, dict[str, float]]]:
    """Return the drawn figures: backbone -> mode -> part -> ms over all layers."""
    return {
        arch.value.upper(): {
            mode.value: {
                part.value: 1e3 * sum(case.seconds(DRAWN_GPU, [part]) for case in stage_cases(arch, DRAWN_SIZE, mode))
                for part in Part
            }
            for mode in COMPARED_MODES
        }
        for arch in ARCHS
    }


def fingerprint() -> str:
    """Return what the picture carries to show which figures it was drawn from."""
    return hashlib.sha256(to_json(encoder_parts()).encode()).hexdigest()


def draw_picture() -> str:
    """Return stacked bars as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "segpp", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, (arch, modes) in zip(figure.subplots(1, len(ARCHS)), encoder_parts().items(), strict=True):
            left = [0.0] * len(modes)
            for part in Part:
                widths = [figures[part.value] for figures in modes.values()]
                axes.barh(list(modes), widths, left=left, color=COLOURS[part], label=part.value)
                left = [start + width for start, width in zip(left, widths, strict=True)]
            axes.invert_yaxis()
            axes.set_title(f"{arch}, {DRAWN_SIZE}, {DRAWN_GPU.name} (model)", fontsize=9)
            axes.set_xlabel("modelled ms, all encoder layers")
            axes.spines[["top", "right"]].set_visible(False)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(Part), frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Description": fingerprint()})
    return text.getvalue()


def is_current() -> bool:
    """Whether page and picture show what the model says."""
    if not (PAGE.exists() and PICTURE.exists()):
        return False
    is_page_current = PAGE.read_text(encoding="utf-8") == render_page(read_bodies())
    return is_page_current and fingerprint() in PICTURE.read_text(encoding="utf-8")


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    if parser.parse_args().check:
        sys.exit(None if is_current() else f"{PAGE.name} is not current: run python -m benchmarks.cost_model.page")
    write_text(PAGE, render_page(read_bodies()))
    write_text(PICTURE, draw_picture())


if __name__ == "__main__":
    main()
