"""Put the demo's recorded table and picture into README.md.

python -m benchmarks.pages.readme                          rewrite the marked block from results/demo.json
python -m benchmarks.pages.readme --record demo-report     first record a new report, picture included
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.arguments import make_parser
from benchmarks.recording import RESULTS, ROOT
from segpp_deploy.config import TaskName, parse_size
from segpp_deploy.files import write_bytes, write_text
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.tuning.measurement import Measurement
from segpp_deploy.workflows.demo.report import PICTURE_CAPTION, describe_conditions, table_caption
from segpp_deploy.workflows.demo.result import DemoResult

RESULT = RESULTS / "demo.json"
PICTURE = ROOT / "docs/images/demo.jpg"
README = ROOT / "README.md"
BEGIN = "<!-- demo:begin (written by benchmarks/pages/readme.py) -->"
END = "<!-- demo:end -->"
MAX_PICTURE_BYTES = 400_000


def render_block(recorded: dict[str, Any]) -> str:
    """Return the README's block, markers included, for the content of results/demo.json."""
    result = DemoResult(
        model=recorded["model"],
        size=parse_size(recorded["size"]),
        images=recorded["images"],
        torch_images=recorded["torch_images"],
        iterations=recorded["iterations"],
        rows=tuple(Measurement.from_dict(row) for row in recorded["rows"]),
        environment=recorded["environment"],
        html=Path(),
        notes=tuple(recorded.get("notes", ())),
        task=TaskName(recorded.get("task", TaskName.SEG)),
    )
    parts = [
        BEGIN,
        f"![{PICTURE_CAPTION}]({PICTURE.relative_to(ROOT).as_posix()})",
        *(to_markdown(table) for table in result.tables()),
        f"{table_caption(result)} {describe_conditions(result)} Recorded at commit `{recorded['commit']}`.",
        END,
    ]
    return "\n\n".join(parts)


def replace_block(readme: str, block: str) -> str:
    """Return the README's text with what stands between the markers replaced."""
    before, found_begin, rest = readme.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise SystemExit(f"README.md has no block between {BEGIN} and {END}")
    return before + block + after


def record(report: Path) -> None:
    """Copy a report's figures and picture to where the README takes them from."""
    recorded = json.loads((report / "report.json").read_text())
    del recorded["report"]  # a place on this machine
    recorded["commit"] = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
    ).stdout.strip()
    picture = shrink_jpeg((report / "overlay.jpg").read_bytes())
    write_text(RESULT, to_json(recorded) + "\n")
    write_bytes(PICTURE, picture)


def shrink_jpeg(data: bytes) -> bytes:
    """Return the picture as it is, or encoded as well as the size limit allows."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise SystemExit("the report's overlay.jpg is no picture")
    for quality in (92, 88, 84, 78, 70):
        if len(data) <= MAX_PICTURE_BYTES:
            return data
        data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    raise SystemExit(f"the picture cannot be encoded in {MAX_PICTURE_BYTES} bytes")


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--record", type=Path, metavar="REPORT_DIR", help="take the figures of this report first")
    arguments = parser.parse_args()
    if arguments.record:
        record(arguments.record)
    write_text(README, replace_block(README.read_text(), render_block(json.loads(RESULT.read_text()))))


if __name__ == "__main__":
    main()
