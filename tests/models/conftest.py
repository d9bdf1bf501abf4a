from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The repository's models/ folder; an installed copy of the tests has none."""
    folder = Path(__file__).parents[2] / "models"
    if not (folder / "training").is_dir():
        pytest.skip("models/training is not here: not a checkout")
    return folder
