from __future__ import annotations

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.plugin_library.architectures import (
    ARCHITECTURES,
    driver_cuda_major,
    native_architectures,
    parse_architectures,
    require_supported,
)

from .conftest import Computer, write, write_script

NVIDIA_SMI = """#!/bin/sh
case "$1" in
  --query-gpu=compute_cap) printf '{capabilities}' ;;
  *) echo "| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4 |" ;;
esac
"""


def test_every_spelling() -> None:
    assert parse_architectures(["sm_89", "8.7,compute_120", "87"]) == ("87", "89", "120")
    assert parse_architectures(["all"]) == ARCHITECTURES
    assert parse_architectures([]) == ()


@pytest.mark.parametrize("word", ["", "8", "70", "5.3", "sm_", "native", "8.7.1", "-87", "90a", "1234"])
def test_no_architecture(word: str) -> None:
    with pytest.raises(SegppError, match="no architecture") as caught:
        parse_architectures([word])
    assert caught.value.fix.startswith("segpp-deploy plugins build --arch 87 ")


def test_a_compiler_that_is_too_old_names_the_cuda_that_is_not() -> None:
    require_supported(["75", "87"], ["50", "75", "87"], "nvcc 12.6")
    with pytest.raises(SegppError, match=r"nvcc 12\.6 cannot compile for sm_110, sm_120") as caught:
        require_supported(["75", "110", "120"], ["50", "75", "87"], "nvcc 12.6")
    assert caught.value.expected == "one of: 75, 87, or CUDA 13.0 or newer."


def test_an_architecture_nobody_knows() -> None:
    with pytest.raises(SegppError, match="sm_999") as caught:
        require_supported(["999"], ["75"], "nvcc")
    assert caught.value.expected == "one of: 75."


def test_gpus_of_this_machine(computer: Computer) -> None:
    write_script(computer.programs / "nvidia-smi", NVIDIA_SMI.format(capabilities=r"8.9\n8.6\n8.9\n6.1\n[N/A]\n"))
    assert native_architectures() == ("86", "89")
    assert driver_cuda_major() == 12


def test_jetson_says_more_than_nvidia_smi(computer: Computer) -> None:
    write_script(computer.programs / "nvidia-smi", NVIDIA_SMI.format(capabilities=r"[N/A]\n"))
    write(computer.root / "compatible", "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
    assert native_architectures() == ("87",)


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 9\n", "#!/bin/sh\necho 'No devices were found'\n"])
def test_no_gpu(script: str | None, computer: Computer) -> None:
    if script:
        write_script(computer.programs / "nvidia-smi", script)
    assert driver_cuda_major() is None
    with pytest.raises(SegppError, match="No NVIDIA GPU") as caught:
        native_architectures()
    assert "--arch" in caught.value.fix


def test_a_gpu_that_is_too_old(computer: Computer) -> None:
    write(computer.root / "compatible", "nvidia,tegra194\0")
    with pytest.raises(SegppError, match=r"7\.2"):
        native_architectures()
