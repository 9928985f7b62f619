# Apache Arrow, for Parquet files where GDAL has no driver of its own for them. Target: furrow_parquet, where found.
set(FURROW_WITH_PARQUET AUTO CACHE STRING
    "Read Parquet by Apache Arrow where GDAL cannot: AUTO (where Arrow is found), ON or OFF")
set_property(CACHE FURROW_WITH_PARQUET PROPERTY STRINGS AUTO ON OFF)
set(FURROW_PYARROW_DIR "" CACHE PATH
    "Folder of Python's package pyarrow, to use the Arrow headers and libraries inside it")

# The libraries of pyarrow have versioned names only (libarrow.so.2600).
function(furrow_find_pyarrow folder)
  file(GLOB arrow "${folder}/libarrow.so" "${folder}/libarrow.so.[0-9]*" "${folder}/libarrow.[0-9]*.dylib")
  file(GLOB parquet "${folder}/libparquet.so" "${folder}/libparquet.so.[0-9]*" "${folder}/libparquet.[0-9]*.dylib")
  if(NOT arrow OR NOT parquet OR NOT EXISTS "${folder}/include/parquet/arrow/reader.h")
    message(FATAL_ERROR "FURROW_PYARROW_DIR: '${folder}' has no libarrow, libparquet and include/parquet; "
            "it must be the folder of the Python package pyarrow "
            "(python3 -c 'import pyarrow; print(pyarrow.__path__[0])')")
  endif()
  list(GET arrow 0 arrow)
  list(GET parquet 0 parquet)
  add_library(furrow_parquet INTERFACE)
  target_include_directories(furrow_parquet SYSTEM INTERFACE "${folder}/include")
  target_link_libraries(furrow_parquet INTERFACE "${parquet}" "${arrow}")
  # They are in no folder that the loader searches.
  set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON PARENT_SCOPE)
endfunction()

# Arrow as conda-forge and Apache package it; older versions have targets without namespace.
function(furrow_find_arrow_package)
  find_package(Arrow CONFIG QUIET)
  find_package(Parquet CONFIG QUIET)
  foreach(library Parquet::parquet_shared Parquet::parquet_static parquet_shared parquet_static)
    if(TARGET ${library})
      add_library(furrow_parquet INTERFACE)
      target_link_libraries(furrow_parquet INTERFACE ${library})
      return()
    endif()
  endforeach()
endfunction()

# Headers and libraries may still not suit this compiler: another C++ standard, or the string type of old packages.
function(furrow_check_parquet result)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/check_parquet.cpp")
  file(WRITE "${source}" "#include <parquet/arrow/reader.h>\nint main() {\n"
       "  return parquet::arrow::FileReaderBuilder().OpenFile(std::string(\"x\")).ok() ? 1 : 0;\n}\n")
  get_target_property(includes furrow_parquet INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(libraries furrow_parquet INTERFACE_LINK_LIBRARIES)
  if(NOT includes)
    set(includes)
  endif()
  if(NOT "${libraries}" STREQUAL "${FURROW_PARQUET_CHECKED}")
    unset(FURROW_PARQUET_WORKS CACHE)
    set(FURROW_PARQUET_CHECKED "${libraries}" CACHE INTERNAL "")
  endif()
  if(NOT DEFINED FURROW_PARQUET_WORKS)
    try_compile(FURROW_PARQUET_WORKS "${CMAKE_CURRENT_BINARY_DIR}/check_parquet" "${source}"
      CMAKE_FLAGS "-DINCLUDE_DIRECTORIES=${includes}" LINK_LIBRARIES ${libraries}
      CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON OUTPUT_VARIABLE output)
    file(WRITE "${CMAKE_CURRENT_BINARY_DIR}/check_parquet.log" "${output}")
  endif()
  set(${result} ${FURROW_PARQUET_WORKS} PARENT_SCOPE)
endfunction()

set(FURROW_HAS_PARQUET OFF)
if(NOT FURROW_WITH_PARQUET STREQUAL "OFF")
  if(FURROW_PYARROW_DIR)
    furrow_find_pyarrow("${FURROW_PYARROW_DIR}")
  else()
    furrow_find_arrow_package()
  endif()
  if(TARGET furrow_parquet)
    furrow_check_parquet(FURROW_HAS_PARQUET)
    if(NOT FURROW_HAS_PARQUET)
      message(WARNING "Apache Arrow was found, but a program with it does not compile or link "
              "(${CMAKE_CURRENT_BINARY_DIR}/check_parquet.log says why)")
    endif()
  endif()
  if(FURROW_WITH_PARQUET STREQUAL "ON" AND NOT FURROW_HAS_PARQUET)
    message(FATAL_ERROR "FURROW_WITH_PARQUET is ON, but there is no usable Apache Arrow with Parquet: install it "
            "(conda-forge: libparquet; Apache's packages: libparquet-dev), or pip install pyarrow and give "
            "-DFURROW_PYARROW_DIR=<folder of the package>")
  endif()
endif()
add_feature_info(GeoParquet FURROW_HAS_PARQUET "reads GeoParquet by Apache Arrow where GDAL has no driver for it")
