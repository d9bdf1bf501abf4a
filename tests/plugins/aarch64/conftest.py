"""A processor that is not here: compilers for it, and an emulator of it."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

import pytest

from segpp_deploy.plugin_library.machines import AARCH64, Machine
from tests.support.requirements import skip_or_fail

_EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")


@pytest.fixture(scope="session")
def jetson_machine() -> Machine:
    """The processor of a Jetson, for which there is a cross compiler here."""
    machine = Machine(AARCH64)
    if platform.machine() == AARCH64 or shutil.which(machine.cross_compiler) is None:
        skip_or_fail("aarch64", "no cross compiler: sudo apt install g++-aarch64-linux-gnu")
    return machine


@pytest.fixture(scope="session")
def qemu() -> Path:
    """The emulator of that processor."""
    path = next(filter(None, map(shutil.which, _EMULATORS)), None)
    if path is None:
        skip_or_fail("aarch64", "no emulator of it: sudo apt install qemu-user-static")
    return Path(path)
