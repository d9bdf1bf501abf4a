/* Runs engines that `segpp-deploy build-engine` wrote, from C or C++.
 *
 * An engine is a file and its record, ENGINE.json. Resizing is the caller's; normalisation and the
 * comparison of classes are in the engine. Functions return 0, or -1 with a text in
 * segpp_last_error() of the same thread. An engine is used by one thread at a time. */
#ifndef SEGPP_SEGPP_H_
#define SEGPP_SEGPP_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SEGPP_EXPORT __attribute__((visibility("default")))
#else
#define SEGPP_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define SEGPP_MAX_RANK 4
#define SEGPP_MAX_OUTPUTS 2

typedef struct segpp_engine segpp_engine;

typedef enum segpp_type {
  SEGPP_UINT8 = 0,
  SEGPP_INT32 = 1,
  SEGPP_INT64 = 2,
  SEGPP_FLOAT32 = 3
} segpp_type;

/* A tensor of one call, dense and row-major. */
typedef struct segpp_tensor {
  const char* name;
  segpp_type type;
  int32_t rank;
  int64_t shape[SEGPP_MAX_RANK];
  size_t bytes;
} segpp_tensor;

/* What an engine is; it lives as long as the engine. Of a dynamic batch, calls take one picture. */
typedef struct segpp_contract {
  segpp_tensor input;     /* uint8 [B, H, W, 3], or float32 [B, 3, H, W], RGB */
  const char* input_kind; /* "uint8", "float" (normalised by the caller), "float255" */
  int32_t output_count;
  segpp_tensor outputs[SEGPP_MAX_OUTPUTS]; /* labels, logits, heatmaps or keypoints; confidence */
  const char* output_kind;                 /* "labels", "logits", .. */
  int32_t height;
  int32_t width;
  int32_t class_count;
  const char* const* class_names; /* of classes or keypoints */
  const char* mode;
  const char* target;
  const char* precision;
} segpp_contract;

/* How an engine is opened; zeros are the usual. */
typedef struct segpp_options {
  int32_t threads;            /* of CPU targets; 0: what the engine was built with */
  const char* plugin_library; /* of TensorRT engines with plugins */
} segpp_options;

/* Checks an engine against its record and this machine, and loads it. `options` may be NULL. */
SEGPP_EXPORT int segpp_open(const char* path, const segpp_options* options, segpp_engine** engine);

SEGPP_EXPORT const segpp_contract* segpp_describe(const segpp_engine* engine);

/* Computes. The sizes are those of the contract's tensors, or nothing is done. */
SEGPP_EXPORT int segpp_run(segpp_engine* engine, const void* input, size_t input_bytes,
                           void* const* outputs, const size_t* output_bytes, int32_t output_count);

/* NULL is fine. */
SEGPP_EXPORT void segpp_close(segpp_engine* engine);

/* What went wrong last in this thread: what, what was expected, what to do. */
SEGPP_EXPORT const char* segpp_last_error(void);

#ifdef __cplusplus
}
#endif

#endif /* SEGPP_SEGPP_H_ */
