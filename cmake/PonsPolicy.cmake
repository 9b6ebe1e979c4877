# Language, warnings, sanitizers, and the two functions that declare everything else.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # -O3 takes longer to build and is not faster here
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Relative paths in the cache: other checkouts of the project share it.
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_C_COMPILER_LAUNCHER})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(pons_policy INTERFACE)
target_compile_options(pons_policy INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align
  -Wold-style-cast -Wimplicit-fallthrough -Wextra-semi
  # g++ 12 reports a false mismatch on coroutine frames at -O1 and -O2.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>
  # g++ 12 sees overlaps and overruns in std::string's own code that are not there.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread> $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  # ccache needs it to cache what is built with a precompiled header.
  $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
# Files that are compiled as one see each other's names.
set(compiled_as_one $<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>)
target_compile_options(pons_policy INTERFACE $<${compiled_as_one}:-Wno-shadow> $<${compiled_as_one}:-Wno-subobject-linkage>)
if(PONS_SANITIZE)
  add_compile_options(-fsanitize=${PONS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PONS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # The check of dynamic types opens a pipe for each type that it meets: where a test has taken all descriptors it reports nonsense.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize=vptr>)
    # The sanitizers make g++ 12 warn of uninitialised and dangling things that are neither.
    target_compile_options(pons_policy INTERFACE -Wno-maybe-uninitialized -Wno-dangling-pointer -Wno-tsan)
  endif()
  if(CMAKE_BUILD_TYPE STREQUAL Debug)
    add_compile_options(-O0 -g1)  # compiled in half the time that -O1 takes, and the tests hardly notice
  endif()
endif()

# pons_library(NAME SOURCES... DEPS... [PRIVATE_DEPS...] [PCH header...])
# A layer: target pons_NAME, alias pons::NAME. Its DEPS are the only layers whose headers it may include.
function(pons_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PRIVATE_DEPS;PCH" ${ARGN})
  add_library(pons_${name} STATIC ${arg_SOURCES})
  add_library(pons::${name} ALIAS pons_${name})
  set_target_properties(pons_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(pons_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include> $<INSTALL_INTERFACE:include/pons>)
  target_compile_features(pons_${name} PUBLIC cxx_std_20)
  # Header-only libraries from outside are compiled in: an installed pons::${name} does not ask for them.
  list(TRANSFORM arg_PRIVATE_DEPS REPLACE "^pons_dep_.*" "$<BUILD_INTERFACE:\\0>")
  target_link_libraries(pons_${name} PUBLIC ${arg_DEPS} PRIVATE $<BUILD_INTERFACE:pons_policy> ${arg_PRIVATE_DEPS})
  if(arg_PCH)
    target_precompile_headers(pons_${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# pons_program(NAME SOURCES... DEPS... [PCH header...]): an executable under the project's warnings.
function(pons_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PCH" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE pons_policy ${arg_DEPS})
  if(arg_PCH)
    target_precompile_headers(${name} PRIVATE ${arg_PCH})
  endif()
endfunction()

# pons_test(NAME SOURCES... DEPS... [PCH header...] [LABELS label...])
# One GoogleTest binary for a folder of tests, every test known to ctest by its own name. `threads` labels what is to run under
# ThreadSanitizer too; the target pons_tests_LABEL builds all binaries of a label.
function(pons_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS;PCH;LABELS" ${ARGN})
  pons_program(${name} SOURCES ${arg_SOURCES} DEPS ${arg_DEPS} GTest::gtest_main PCH ${arg_PCH})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  # The tests themselves need not be fast, but soon built.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
  set_target_properties(${name} PROPERTIES UNITY_BUILD ${PONS_BUILD_TESTS_AS_ONE})
  foreach(label ${arg_LABELS})
    if(NOT TARGET pons_tests_${label})
      add_custom_target(pons_tests_${label})
    endif()
    add_dependencies(pons_tests_${label} ${name})
  endforeach()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120 LABELS "${arg_LABELS}")
endfunction()
include(GoogleTest)
