# Interface targets for flags and warnings, and the helpers that every module uses.

if(CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  find_program(FURROW_CCACHE ccache)
  if(FURROW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${FURROW_CCACHE}")
  endif()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# What users of the libraries need too.
add_library(furrow_flags INTERFACE)
target_compile_features(furrow_flags INTERFACE cxx_std_20)
# Results must not depend on whether the processor can fuse a multiply and an add.
target_compile_options(furrow_flags INTERFACE -ffp-contract=off)

# What only this project needs; never exported.
add_library(furrow_warnings INTERFACE)
target_compile_options(furrow_warnings INTERFACE -Wall -Wextra -Wshadow -Wconversion
  -Wdouble-promotion -Wnon-virtual-dtor -Wold-style-cast)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 warns about the own code of std::string and std::optional (GCC bugs 105651, 105562).
  target_compile_options(furrow_warnings INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(FURROW_WARNINGS_AS_ERRORS)
  target_compile_options(furrow_warnings INTERFACE -Werror)
endif()

if(FURROW_SANITIZE)
  add_compile_options(-fsanitize=${FURROW_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FURROW_SANITIZE})
  # GCC warns of the standard library's own code when it is instrumented.
  target_compile_options(furrow_warnings INTERFACE -Wno-maybe-uninitialized)
endif()

# furrow_unity_build(<target>): its sources may be compiled several at a time, so that headers are read once for all of
# them. Names in their anonymous namespaces must differ then. Libraries and tests of the suite are built so.
function(furrow_unity_build target)
  if(NOT FURROW_UNITY_BUILD)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  # GCC takes a source that is included for a header and warns of private types in it.
  target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
endfunction()

# furrow_library(<name> <alias> SOURCES ... PUBLIC ... PRIVATE ...): a static library of the suite.
function(furrow_library name alias)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  add_library(furrow::${alias} ALIAS ${name})
  target_include_directories(${name} PUBLIC "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>")
  target_link_libraries(${name} PUBLIC furrow_flags ${ARG_PUBLIC}
    PRIVATE $<BUILD_INTERFACE:furrow_warnings> ${ARG_PRIVATE})
  furrow_unity_build(${name})
  if(FURROW_CHECK_HEADERS)
    furrow_check_headers(${name})
  endif()
endfunction()

# Compiles every public header of a library alone, so that each includes what it uses.
function(furrow_check_headers name)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}/include"
       "${CMAKE_CURRENT_SOURCE_DIR}/include/*.h")
  set(sources)
  foreach(header IN LISTS headers)
    string(MAKE_C_IDENTIFIER "${header}" id)
    set(source "${CMAKE_CURRENT_BINARY_DIR}/header_check/${id}.cpp")
    file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${header}>\n#include <${header}>\n" @ONLY)
    list(APPEND sources "${source}")
  endforeach()
  if(sources)
    add_library(${name}_header_check OBJECT ${sources})
    target_link_libraries(${name}_header_check PRIVATE ${name} furrow_warnings)
  endif()
endfunction()
