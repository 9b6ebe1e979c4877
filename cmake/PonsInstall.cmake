# `cmake --install`: a tree that may be moved. bin/pons, the adapters (adapters/CMakeLists.txt), and the layers that other
# people's workers and parents are built on, for find_package(pons). Headers are under include/pons; they include each other as
# "protocol/x.h", others include them as <pons/worker/worker.h>.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS pons RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
# A program in the build folder finds the sources of the Python SDK beside itself.
file(RELATIVE_PATH sdk ${PROJECT_BINARY_DIR} ${PROJECT_SOURCE_DIR}/worker/python)
file(CREATE_LINK ${sdk} ${PROJECT_BINARY_DIR}/python SYMBOLIC)
install(TARGETS pons_protocol pons_asio pons_transport pons_worker pons_client
  EXPORT pons-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(layer protocol worker clients/cpp)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${layer}/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/pons/${layer} FILES_MATCHING PATTERN "*.h")
endforeach()

# The Python SDK, which the host puts on the path of workers in Python; also for `pip install`.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/worker/python/ DESTINATION ${CMAKE_INSTALL_DATADIR}/pons/python
  FILES_MATCHING PATTERN "*.py" PATTERN "py.typed" PATTERN "pyproject.toml"
  PATTERN "__pycache__" EXCLUDE PATTERN ".*" EXCLUDE PATTERN "build" EXCLUDE PATTERN "*.egg-info" EXCLUDE)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pons)
install(EXPORT pons-targets NAMESPACE pons:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/pons-config.cmake.in ${PROJECT_BINARY_DIR}/pons-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/pons-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pons-config.cmake ${PROJECT_BINARY_DIR}/pons-config-version.cmake DESTINATION ${package_dir})
