# The same sources for the CPU: what tests load and drive. What only the repository's tests need
# (testing/conformance, testing/emulator_tests, testing/kernel_calls) is left out where it is not there, as in the wheel.

include(SegppCommon)

set_source_files_properties(${SEGPP_KERNEL_SOURCES} PROPERTIES LANGUAGE CXX)
target_compile_definitions(segpp_settings INTERFACE
  SEGPP_EMULATOR_HEADER="testing/emulator/emulator.h" SEGPP_HOST_ARCH=${SEGPP_HOST_ARCH})
# Some compilers fuse multiplications and additions by themselves where the processor can; the kernels say where to.
target_compile_options(segpp_settings INTERFACE -ffp-contract=off)
if(SEGPP_SANITIZE)
  # Quicker to compile than -O2 -g; line numbers are all that findings show.
  target_compile_options(segpp_settings INTERFACE
    -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(segpp_settings INTERFACE -fsanitize=address,undefined)
endif()

# Small files of which each takes longest to read the standard library: a few are compiled as one.
function(segpp_join_sources target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
  # GCC takes what a file keeps to itself for a header's, where that file is not the one it was given.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()

file(GLOB SEGPP_EMULATOR_SOURCES CONFIGURE_DEPENDS testing/emulator/*.cpp)
add_library(segpp_emulator OBJECT ${SEGPP_EMULATOR_SOURCES})
segpp_join_sources(segpp_emulator)
target_link_libraries(segpp_emulator PUBLIC segpp_settings)
add_library(segpp_kernels_host OBJECT ${SEGPP_KERNEL_SOURCES})
target_link_libraries(segpp_kernels_host PUBLIC segpp_settings)

add_library(segpp_host SHARED ${SEGPP_C_API_SOURCES})
target_link_libraries(segpp_host PRIVATE segpp_kernels_host segpp_emulator)

if(SEGPP_TENSORRT_INCLUDE_DIR)
  file(GLOB SEGPP_CONFORMANCE_SOURCES CONFIGURE_DEPENDS testing/conformance/*.cpp)
  add_library(segpp_plugins_host SHARED ${SEGPP_PLUGIN_SOURCES})
  target_link_libraries(segpp_plugins_host
    PRIVATE segpp_kernels_host segpp_emulator segpp_tensorrt_headers segpp_exports)
  if(SEGPP_CONFORMANCE_SOURCES)
    add_executable(conformance_driver ${SEGPP_CONFORMANCE_SOURCES})
    segpp_join_sources(conformance_driver)
    target_link_libraries(conformance_driver
      PRIVATE segpp_settings segpp_tensorrt_headers ${CMAKE_DL_LIBS})
  endif()
else()
  message(STATUS "No NvInfer.h: segpp_plugins_host and conformance_driver are left out")
endif()

file(GLOB SEGPP_EMULATOR_TEST_SOURCES CONFIGURE_DEPENDS testing/emulator_tests/*.cpp)
if(SEGPP_EMULATOR_TEST_SOURCES)
  add_executable(emulator_tests EXCLUDE_FROM_ALL ${SEGPP_EMULATOR_TEST_SOURCES})
  segpp_join_sources(emulator_tests)
  target_link_libraries(emulator_tests PRIVATE segpp_emulator)
endif()

file(GLOB SEGPP_KERNEL_CALLS_SOURCES CONFIGURE_DEPENDS testing/kernel_calls/*.cpp)
if(SEGPP_KERNEL_CALLS_SOURCES)
  add_executable(kernel_calls EXCLUDE_FROM_ALL ${SEGPP_KERNEL_CALLS_SOURCES} ${SEGPP_C_API_SOURCES})
  target_link_libraries(kernel_calls PRIVATE segpp_kernels_host segpp_emulator)
endif()
