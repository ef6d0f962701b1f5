# SPDX-License-Identifier: MIT
#
# Headers, libraries, tmlrt.pc and the CMake package. Nothing installed knows
# where it was installed: the whole tree can be moved.
include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tmlrt")

install(TARGETS tmlrt tmlrt_static EXPORT tmlrt_targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR}
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILES_MATCHING PATTERN "*.h" PATTERN "*.ll")
install(EXPORT tmlrt_targets NAMESPACE tmlrt:: FILE tmlrt-targets.cmake DESTINATION ${package_dir})

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/tmlrt-config.cmake.in" "${PROJECT_BINARY_DIR}/tmlrt-config.cmake"
    INSTALL_DESTINATION ${package_dir})
# While the major version is 0, a minor version may break what was before.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tmlrt-config-version.cmake"
    COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tmlrt-config.cmake"
    "${PROJECT_BINARY_DIR}/tmlrt-config-version.cmake" DESTINATION ${package_dir})

# The prefix as seen from the folder of tmlrt.pc; an absolute folder stays so.
set(pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
    set(pc_libdir "${CMAKE_INSTALL_LIBDIR}")
else()
    file(RELATIVE_PATH pc_up "/x/${pc_dir}" "/x")
    string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
    set(pc_prefix "\${pcfiledir}/${pc_up}")
    set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
if(IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
    set(pc_includedir "${CMAKE_INSTALL_INCLUDEDIR}")
else()
    set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
set(pc_private "")
foreach(library ${tmlrt_platform_libraries})
    if(library STREQUAL "Threads::Threads")
        string(APPEND pc_private " -pthread")
    else()
        string(APPEND pc_private " -l${library}")
    endif()
endforeach()
configure_file("${CMAKE_CURRENT_LIST_DIR}/tmlrt.pc.in" "${PROJECT_BINARY_DIR}/tmlrt.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/tmlrt.pc" DESTINATION ${pc_dir})
