"""Carry `models/`, the sources for `plugins build` and the commit into the wheel; the rest is in pyproject.toml."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # pip builds without it

from segpp_deploy.plugin_library.sources import LibraryKind, source_files  # noqa: E402
from segpp_deploy.versions import COMMIT_NAME, find_commit  # noqa: E402

PACKAGE = Path("segpp_deploy")
CARDS = ROOT / "models"
CARDS_INSTALLED_AS = PACKAGE / "model_cards"  # where segpp_deploy/model/weights/cards.py looks
PLUGINS = ROOT / "plugins"
PLUGINS_INSTALLED_AS = PACKAGE / "plugin_sources"  # where segpp_deploy/plugin_library/sources.py looks


class BuildWithData(build_py):
    """Copies what lies outside the package; an editable install reads it in the checkout instead."""

    def run(self) -> None:
        """Build as usual, then add the cards, the plugins' sources and the commit."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib)
        for source in sorted([*CARDS.glob("*.yaml"), *CARDS.glob("*.safetensors")]):
            _copy(source, target / CARDS_INSTALLED_AS / source.name)
        for source in sorted({path for kind in LibraryKind for path in source_files(PLUGINS, kind)}):
            _copy(source, target / PLUGINS_INSTALLED_AS / source.relative_to(PLUGINS))
        _record_commit(target)


class SdistWithCommit(sdist):
    """Hands the commit on to wheels that are built where no repository is."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Lay out the files as usual, then add the commit."""
        super().make_release_tree(base_dir, files)
        _record_commit(Path(base_dir))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _record_commit(folder: Path) -> None:
    if (commit := find_commit()) is not None:
        (folder / PACKAGE / COMMIT_NAME).write_text(f"{commit}\n", encoding="utf-8")


setup(cmdclass={"build_py": BuildWithData, "sdist": SdistWithCommit})
