"""Every kernel once on the GPU, small cases: what compute-sanitizer watches. 1 if a result is wrong, 2 without a GPU.

compute-sanitizer --tool racecheck --error-exitcode 9 python -m benchmarks.toolchain.sanitized_kernels
"""

from __future__ import annotations

from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.plugin_library.device_kernels import DeviceKernels
from segpp_deploy.workflows.selftest.cases import CASES
from segpp_deploy.workflows.selftest.device_checks import random_cases
from segpp_deploy.workflows.selftest.op_checks import check_op

RANDOM = 1  # of each op


def main() -> int:
    """Compute and compare."""
    try:
        kernels = DeviceKernels()
    except SegppError as error:
        print(error)
        return error.exit_code
    cases = [case for case in (*CASES, *random_cases(RANDOM)) if not case.is_large]
    results = []
    for case in cases:
        for dtype in FLOATS:
            results.append(check_op(kernels, case, dtype))
            print(results[-1], flush=True)
    num_failed = sum(not result.passed for result in results)
    print(f"{len(results)} calls, {num_failed} wrong")
    return int(num_failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
