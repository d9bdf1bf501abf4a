"""Every plugin on the GPU against the PyTorch reference."""

from __future__ import annotations

import pytest

from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.runtimes.tensorrt.one_plugin import OnePluginNetworks
from segpp_deploy.workflows.selftest.cases import CASES, OpCase
from segpp_deploy.workflows.selftest.op_checks import check_op

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def networks() -> OnePluginNetworks:
    return OnePluginNetworks()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op.name}: {case}")
def test_plugin_equals_the_reference(case: OpCase, dtype: str, networks: OnePluginNetworks) -> None:
    result = check_op(networks, case, dtype)
    assert result.passed, result.finding


def test_results_do_not_change_from_run_to_run(networks: OnePluginNetworks) -> None:
    for case in CASES:
        inputs = case.make_inputs("float16")
        first, second = (networks.run(case.op, inputs.tensors, inputs.attributes) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert one.tobytes() == other.tobytes(), case
