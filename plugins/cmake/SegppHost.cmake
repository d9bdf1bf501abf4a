# The same sources for the CPU: what tests load and drive.

include(SegppCommon)

set_source_files_properties(${SEGPP_KERNEL_SOURCES} PROPERTIES LANGUAGE CXX)
target_compile_definitions(segpp_settings INTERFACE SEGPP_HOST_SIMT=1 SEGPP_HOST_ARCH=${SEGPP_HOST_ARCH})
# Some compilers fuse multiplications and additions by themselves where the processor can; the kernels say where to.
target_compile_options(segpp_settings INTERFACE -ffp-contract=off)
if(SEGPP_SANITIZE)
  target_compile_options(segpp_settings INTERFACE
    -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(segpp_settings INTERFACE -fsanitize=address,undefined)
endif()

file(GLOB SEGPP_SIMT_SOURCES CONFIGURE_DEPENDS simt/host/*.cpp)
file(GLOB SEGPP_HOST_SOURCES CONFIGURE_DEPENDS host/*.cpp)
add_library(segpp_simt OBJECT ${SEGPP_SIMT_SOURCES})
target_link_libraries(segpp_simt PUBLIC segpp_settings)
add_library(segpp_kernels_host OBJECT ${SEGPP_KERNEL_SOURCES})
target_link_libraries(segpp_kernels_host PUBLIC segpp_settings)

add_library(segpp_host SHARED ${SEGPP_HOST_SOURCES})
target_link_libraries(segpp_host PRIVATE segpp_kernels_host segpp_simt)

if(SEGPP_TENSORRT_INCLUDE_DIR)
  file(GLOB SEGPP_CONFORMANCE_SOURCES CONFIGURE_DEPENDS conformance/*.cpp)
  add_library(segpp_plugins_host SHARED ${SEGPP_PLUGIN_SOURCES})
  target_link_libraries(segpp_plugins_host
    PRIVATE segpp_kernels_host segpp_simt segpp_tensorrt_headers segpp_exports)
  if(SEGPP_CONFORMANCE_SOURCES)
    add_executable(conformance_driver ${SEGPP_CONFORMANCE_SOURCES})
    target_link_libraries(conformance_driver
      PRIVATE segpp_settings segpp_tensorrt_headers ${CMAKE_DL_LIBS})
  endif()
else()
  message(STATUS "No NvInfer.h: segpp_plugins_host and conformance_driver are left out")
endif()

file(GLOB SEGPP_SIMT_TEST_SOURCES CONFIGURE_DEPENDS simt_tests/*.cpp)
if(SEGPP_SIMT_TEST_SOURCES)
  add_executable(simt_tests EXCLUDE_FROM_ALL ${SEGPP_SIMT_TEST_SOURCES})
  target_link_libraries(simt_tests PRIVATE segpp_simt)
endif()
