from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.requirements import skip_or_fail


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The repository's models/ folder; an installed copy of the tests has none."""
    folder = Path(__file__).parents[2] / "models"
    if not (folder / "training").is_dir():
        skip_or_fail("checkout", f"{folder}/training does not exist.")
    return folder
