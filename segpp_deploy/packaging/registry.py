"""The packagers by stack."""

from __future__ import annotations

import importlib

from segpp_deploy.packaging.package import Packager
from segpp_deploy.packaging.stacks import Stack


def find_packager(stack: Stack) -> Packager:
    """Return what puts packages for a stack together."""
    module, _, function = stack.packager.partition(":")
    packager: Packager = getattr(importlib.import_module(f"segpp_deploy.packaging.{module}"), function)
    return packager
