"""What the documents say is true: commands parse or run, links lead somewhere, figures come from the recorded result.

A block marked ```sh run is executed in a fresh directory that holds a picture, street.jpg. Every other `segpp-deploy`
line in a sh block, or in a sentence, is parsed by the real command line, so its options exist.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from benchmarks.pages import readme as readme_page
from segpp_deploy.cli.main import COMMANDS, run_command
from segpp_deploy.commands import PROGRAM
from segpp_deploy.config import Size
from segpp_deploy.data.images import write_image
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.engine.precision_record import GateOutcome, KeptLayers, KeptReason, PrecisionRecord, RangesUsed
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.target import Int8Use, TargetInfo
from tests.support.command_lines import parse
from tests.support.requirements import skip_or_fail

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "examples/README.md")
DOCUMENTS = sorted([*PAGES, *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(sh[^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(rf"`({PROGRAM} [^`]*)`")
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def commands_in(document: Path, runnable: bool) -> list[list[str]]:
    """Arguments of the segpp-deploy lines in the document's blocks that are (not) marked to be run."""
    lines = [
        line
        for kind, text in BLOCK.findall(document.read_text())
        if (kind == "sh run") == runnable
        for line in text.splitlines()
    ]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(PROGRAM)]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_commands_parse(document: Path) -> None:
    for arguments in commands_in(document, runnable=False):
        parse(arguments)


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_commands_in_sentences_parse(document: Path) -> None:
    for span in SPAN.findall(document.read_text()):
        if "..." not in span:  # dots stand for what the sentence is not about
            parse(shlex.split(span)[1:])


@pytest.mark.slow
@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands_in(d, runnable=True)], ids=relative)
def test_commands_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    try:
        resolve_card_checkpoint(load_card("segformer_b0_scenes"))
    except SegppError as error:
        skip_or_fail("demo_model", f"the shipped model is not here: {error.what}")
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "street.jpg", generate_scene(3, Size(256, 512)).image)
    for arguments in commands_in(document, runnable=True):
        code = run_command(arguments)
        assert code == 0, f"{arguments}: {capsys.readouterr().err}"


def test_readme_has_commands_that_run() -> None:
    assert {arguments[0] for arguments in commands_in(ROOT / "README.md", runnable=True)} >= {
        "export",
        "build-engine",
        "validate",
        "bench",
        "predict",
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(document: Path) -> None:
    missing = [link for link in LINK.findall(document.read_text()) if not (document.parent / link).exists()]
    assert not missing


def test_every_command_has_a_page() -> None:
    assert {path.stem for path in (ROOT / "docs/commands").glob("*.md")} == set(COMMANDS)
    readme = (ROOT / "README.md").read_text()
    assert all(f"docs/commands/{name}.md" in readme for name in COMMANDS)


def test_precision_page_shows_the_table_of_targets() -> None:
    page = (ROOT / "docs/precision.md").read_text()
    rows = re.findall(r"^\| `[a-z-]+` \|.*$", page, re.MULTILINE)
    assert rows == [precision_row(info) for info in TARGETS.values()]


def precision_row(info: TargetInfo) -> str:
    covers, rest = ("-", "-") if info.int8 is None else describe_int8(info, info.int8)
    return f"| `{info.name}` | {', '.join(map(str, info.precisions))} | {covers} | {rest} |"


def describe_int8(info: TargetInfo, int8: Int8Use) -> tuple[str, str]:
    every = "every convolution and linear layer"
    covers = every if int8.every_layer else "those of the encoder, but for depthwise convolutions"
    lacking = ", or fp32 where the CPU lacks it" if int8.rest in info.runtime_precisions else ""
    return covers, f"{int8.rest}{lacking}"


def test_build_engine_page_explains_the_precision_record() -> None:
    page = (ROOT / "docs/commands/build-engine.md").read_text()
    fields = [name for model in (RangesUsed, KeptLayers, GateOutcome) for name in model.model_fields]
    assert [name for name in (*fields, *KeptReason) if f"`{name}`" not in page] == []
    assert [name for name in PrecisionRecord.model_fields if f"| `{name}` |" not in page] == []


def test_readme_shows_the_recorded_figures() -> None:
    recorded = json.loads(readme_page.RESULT.read_text())
    readme = readme_page.README.read_text()
    assert readme_page.replace_block(readme, readme_page.render_block(recorded)) == readme, "run `make readme`"


def test_readme_picture_is_small() -> None:
    assert 0 < readme_page.PICTURE.stat().st_size <= readme_page.MAX_PICTURE_BYTES


def test_readme_without_markers_is_refused() -> None:
    with pytest.raises(SystemExit, match="no block"):
        readme_page.replace_block("no markers", "block")
