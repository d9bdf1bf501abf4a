// Barriers of a block and of a warp.
#pragma once

#include "shared.h"
#include "site.h"

namespace simt::host {

inline constexpr unsigned kFullMask = 0xffffffffu;

// Waits for all threads of the block; returns how many of them came with `predicate`.
int sync_block(bool predicate, const Site& site);

// Waits for the lanes of `mask` and orders their accesses to memory.
void sync_warp(unsigned mask, const Site& site);

// Notes that the running thread waited for prerequisites.
void note_wait();

// Lets other threads and blocks run before the running thread looks again.
void poll();

}  // namespace simt::host

namespace simt {

// Launches run one after the other: there is nothing to wait for, and nothing to allow.
inline void wait_for_prerequisites() { host::note_wait(); }
inline void allow_dependents() {}

// Tells other blocks that wait for this value; what the thread's block wrote before a barrier is
// there for them.
inline void publish(unsigned long long* word, unsigned long long value) {
  host::claim_global(word, sizeof(value));
  *word = value;
}

// Waits until another block has published this value.
inline void wait_until(const unsigned long long* word, unsigned long long value) {
  host::claim_global(word, sizeof(value));
  while (*static_cast<const volatile unsigned long long*>(word) != value) host::poll();
}

}  // namespace simt

// All run on one OS thread: what one has written is there for the others.
inline void __threadfence() {}

inline void __syncthreads(SEGPP_SIMT_CALLER) { simt::host::sync_block(false, {file, line}); }

inline int __syncthreads_count(int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::sync_block(predicate != 0, {file, line});
}

inline int __syncthreads_or(int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::sync_block(predicate != 0, {file, line}) != 0;
}

inline int __syncthreads_and(int predicate, SEGPP_SIMT_CALLER) {
  return simt::host::sync_block(predicate == 0, {file, line}) == 0;
}

inline void __syncwarp(unsigned mask = simt::host::kFullMask, SEGPP_SIMT_CALLER) {
  simt::host::sync_warp(mask, {file, line});
}
