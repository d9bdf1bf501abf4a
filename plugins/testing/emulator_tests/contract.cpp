// What the kernel that uses all of the contract computes on the host.
#include <vector>

#include "check.h"
#include "contract_kernel.cuh"

namespace emulator_tests {
namespace {

constexpr int kContractThreads = 64;

ContractResults run_contract() {
  std::vector<__half> input(kContractThreads * 4, __float2half(1.0f));
  ContractResults results = {};
  const cudaError_t error =
      launch_contract<__half, kContractThreads>(input.data(), &results, nullptr);
  EXPECT(error == cudaSuccess);
  return results;
}

}  // namespace

SIMT_CASE(contract_of_the_block) {
  const ContractResults results = run_contract();
  EXPECT(results.threads == kContractThreads);
  EXPECT(results.largest == kContractThreads - 1);
  EXPECT(results.smallest == 0);
  EXPECT(results.bits_or == 0xffffffffu);
  EXPECT(results.bits_and == 0);
  EXPECT(results.odd_threads == kContractThreads / 2);
  EXPECT(results.any_odd == 1);
  EXPECT(results.all_in_block == 1);
}

SIMT_CASE(contract_of_the_warp) {
  const ContractResults results = run_contract();
  EXPECT(results.odd_lanes == 0xaaaaaaaau);
  EXPECT(results.any_lane == 1);
  EXPECT(results.all_lanes == 0);
  EXPECT(results.below == 0);
  EXPECT(results.above == 1);
  EXPECT(results.across == 4);
  EXPECT(results.from_five == 5);
}

SIMT_CASE(contract_of_the_scalars) {
  const ContractResults results = run_contract();
  EXPECT(results.population == 16);
  EXPECT(results.first_set == 4);
  EXPECT(results.leading_zeros == 31);
  EXPECT(results.reciprocal_root == 0.5f);
  EXPECT(results.logarithm == 0.0f);
  EXPECT(results.fused == 10.0f);
  EXPECT(results.rounded == 7.0f);
  EXPECT(results.one_bits == 0x3f800000u);
  EXPECT(results.one == 1.0f);
  EXPECT(results.smaller == 2);
  EXPECT(results.larger == kContractThreads - 1);
  EXPECT(results.smaller_float == 1.0f);
}

SIMT_CASE(contract_of_memory_and_mma) {
  const ContractResults results = run_contract();
  EXPECT(results.slice_sum == 8.0f);
  EXPECT(results.half_sum == 2.0f);
  EXPECT(results.product == 24.0f);
  EXPECT(results.word == 7);
  EXPECT(results.arch == SEGPP_HOST_ARCH);
}

}  // namespace emulator_tests
