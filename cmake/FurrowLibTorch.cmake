# LibTorch from the folder FURROW_TORCH_DIR, which holds include/ and lib/: the official archive, or the package torch
# of Python. Sets TORCH_INCLUDE_DIRS and TORCH_LIBRARIES as find_package(Torch) does.
#
# LibTorch's own TorchConfig.cmake asks for a CUDA toolkit whenever the build knows CUDA, also where only the CPU is
# wanted. Furrow includes no CUDA header, so the libraries are enough: those of the CPU, and with FURROW_TORCH_CUDA
# those of CUDA too.
option(FURROW_TORCH_CUDA "Link the CUDA part of the LibTorch in FURROW_TORCH_DIR" OFF)

set(furrow_torch_parts torch_cpu c10)
if(FURROW_TORCH_CUDA)
  list(APPEND furrow_torch_parts torch_cuda c10_cuda)
endif()
set(TORCH_LIBRARIES)
foreach(part IN LISTS furrow_torch_parts)
  find_library(FURROW_LIB_${part} ${part} PATHS "${FURROW_TORCH_DIR}/lib" NO_DEFAULT_PATH)
  if(NOT FURROW_LIB_${part})
    message(FATAL_ERROR "FURROW_TORCH_DIR is ${FURROW_TORCH_DIR}, which has no lib/lib${part}.so; give the folder of "
      "LibTorch that holds include/ and lib/")
  endif()
  list(APPEND TORCH_LIBRARIES "${FURROW_LIB_${part}}")
endforeach()
if(FURROW_TORCH_CUDA)
  # Nothing calls the CUDA part by name: it makes itself known when it is loaded.
  list(PREPEND TORCH_LIBRARIES "-Wl,--push-state,--no-as-needed")
  list(APPEND TORCH_LIBRARIES "-Wl,--pop-state")
endif()

# Builds with the C++ ABI of GCC 4 link with no library of today's Linux.
file(STRINGS "${FURROW_LIB_c10}" furrow_torch_abi LIMIT_COUNT 1 REGEX "__cxx11")
if(NOT furrow_torch_abi)
  message(FATAL_ERROR "LibTorch in ${FURROW_TORCH_DIR} was built with the C++ ABI of GCC 4; take the archive with "
    "'cxx11-abi' in its name, or the Python package torch from 2.7 on")
endif()

set(TORCH_INCLUDE_DIRS "${FURROW_TORCH_DIR}/include" "${FURROW_TORCH_DIR}/include/torch/csrc/api/include")
# The Python package keeps CUDA's libraries in folders beside it; the linker does not find them by itself.
file(GLOB furrow_torch_beside LIST_DIRECTORIES true "${FURROW_TORCH_DIR}/../nvidia/*/lib")
foreach(folder IN LISTS furrow_torch_beside)
  list(APPEND TORCH_LIBRARIES "-Wl,-rpath-link,${folder}")
endforeach()
