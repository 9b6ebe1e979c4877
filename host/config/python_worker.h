// Workers in Python: which programs are one, how `python` of an adapter.yaml is run, and what the host puts on their path.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/adapter_folder.h"
#include "host/config/worker_env.h"

namespace pons {

/// Whether it is a Python interpreter by its name: python, python3, /opt/bin/python3.11.
bool is_python(std::string_view program);

/// The command of a worker that is given as `python`, run by `interpreter`.
std::vector<std::string> python_command(const AdapterFolder& adapter, const std::string& interpreter);

/// The environment (as `python3 -m venv` makes them) that an interpreter belongs to; empty: none.
std::filesystem::path environment_of(const std::filesystem::path& interpreter);

/// The folders of an environment in which its packages lie.
std::vector<std::filesystem::path> site_packages(const std::filesystem::path& environment);

/// Whether the Python SDK is installed in an environment.
bool has_own_sdk(const std::filesystem::path& environment);

/// Whether packages of the interpreter that the environment was made with count too.
bool sees_system_packages(const std::filesystem::path& environment);

/// The file of a model: in the adapter's folder, or in the first folder of its interpreter's path that has it; nothing: there is none.
std::optional<std::filesystem::path> find_model_file(const ModelFile& model, const std::filesystem::path& adapter_folder,
                                                     const std::vector<std::filesystem::path>& python_path);

/// Prepends folders to PYTHONPATH in `env`, whose names are in order and stay so.
void prepend_python_path(Environment& env, const std::vector<std::filesystem::path>& folders);

/// The folder with the Python SDK for this `program` (links resolved): `../share/pons/python`, `../python` or `python` from its own
/// folder, the first that has the package; empty: there is none.
std::filesystem::path find_python_sdk(const std::filesystem::path& program);

}  // namespace pons
