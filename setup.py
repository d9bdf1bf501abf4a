"""Carry the top-level `models/` and `plugins/` into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PACKAGE = Path("segpp_deploy")
CARDS = Path("models")
CARDS_INSTALLED_AS = PACKAGE / "model_cards"  # where segpp_deploy/model/cards.py looks
PLUGINS = Path("plugins")
PLUGINS_INSTALLED_AS = PACKAGE / "plugin_sources"  # where segpp_deploy/plugin_library/sources.py looks
PLUGIN_SUFFIXES = {".txt", ".json", ".cmake", ".h", ".cuh", ".cu", ".cpp", ".map", ".md"}


class BuildWithData(build_py):
    """Copies what lies outside the package; an editable install reads it in the checkout instead."""

    def run(self) -> None:
        """Build as usual, then add the cards and the plugins' sources."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib)
        for source in sorted([*CARDS.glob("*.yaml"), *CARDS.glob("*.safetensors")]):
            _copy(source, target / CARDS_INSTALLED_AS / source.name)
        for source in sorted(path for path in PLUGINS.rglob("*") if path.suffix in PLUGIN_SUFFIXES):
            _copy(source, target / PLUGINS_INSTALLED_AS / source.relative_to(PLUGINS))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


setup(cmdclass={"build_py": BuildWithData})
