"""Carry the top-level `models/` (cards and demo weights) into the wheel; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CARDS = Path("models")
INSTALLED_AS = Path("segpp_deploy") / "model_cards"  # where segpp_deploy/model/cards.py looks


class BuildWithCards(build_py):
    """Copies the cards; an editable install reads `models/` in the checkout instead."""

    def run(self) -> None:
        """Build as usual, then add the cards."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / INSTALLED_AS
        target.mkdir(parents=True, exist_ok=True)
        for source in sorted([*CARDS.glob("*.yaml"), *CARDS.glob("*.safetensors")]):
            shutil.copy2(source, target / source.name)


setup(cmdclass={"build_py": BuildWithCards})
