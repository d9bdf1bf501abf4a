# What both builds share: where the headers are, and warnings.

# Headers of others are system headers: their warnings are not ours.
add_library(segpp_cuda_headers INTERFACE)
if(NOT SEGPP_CUDA_INCLUDE_DIR)
  unset(SEGPP_CUDA_INCLUDE_DIR CACHE)
  find_path(SEGPP_CUDA_INCLUDE_DIR cuda_runtime_api.h
    HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ENV CUDA_HOME ENV CUDA_PATH
    PATHS /usr/local/cuda
    PATH_SUFFIXES include)
endif()
if(NOT SEGPP_CUDA_INCLUDE_DIR)
  message(FATAL_ERROR "No cuda_runtime_api.h. Name its directory with -DSEGPP_CUDA_INCLUDE_DIR=...")
endif()
foreach(directory ${SEGPP_CUDA_INCLUDE_DIR})
  target_include_directories(segpp_cuda_headers SYSTEM INTERFACE "${directory}")
  if(EXISTS "${directory}/cccl")  # since CUDA 13; cuda_fp16.h needs <nv/target> from it
    target_include_directories(segpp_cuda_headers SYSTEM INTERFACE "${directory}/cccl")
  endif()
endforeach()

add_library(segpp_tensorrt_headers INTERFACE)
if(NOT SEGPP_TENSORRT_INCLUDE_DIR)
  unset(SEGPP_TENSORRT_INCLUDE_DIR CACHE)
  find_path(SEGPP_TENSORRT_INCLUDE_DIR NvInfer.h HINTS ENV TENSORRT_ROOT PATH_SUFFIXES include)
endif()
if(SEGPP_TENSORRT_INCLUDE_DIR)
  target_include_directories(segpp_tensorrt_headers SYSTEM INTERFACE "${SEGPP_TENSORRT_INCLUDE_DIR}")
endif()

# Hidden visibility leaves instances of the standard library's templates visible.
add_library(segpp_exports INTERFACE)
target_link_libraries(segpp_exports INTERFACE ${CMAKE_DL_LIBS})
target_link_options(segpp_exports INTERFACE "LINKER:--version-script=${PROJECT_SOURCE_DIR}/tensorrt/exports.map")

add_library(segpp_settings INTERFACE)
target_include_directories(segpp_settings INTERFACE "${PROJECT_SOURCE_DIR}")
target_compile_options(segpp_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror>)
target_link_libraries(segpp_settings INTERFACE segpp_cuda_headers)
