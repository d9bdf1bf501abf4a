"""The libraries of the extra `report`, imported when a page is really made."""

from __future__ import annotations

import importlib
from types import ModuleType

from segpp_deploy.errors import SegppError


def import_report_library(name: str) -> ModuleType:
    """Import a library of the extra `report`.

    Raises:
        SegppError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SegppError(
            f"The report needs {name.partition('.')[0]}, which is not installed.",
            "the extra 'report'.",
            "pip install 'segpp-deploy[report]'",
        ) from error
