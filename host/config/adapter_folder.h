// Adapters as folders: where they are looked for, and what an adapter.yaml says.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/config/document.h"
#include "host/config/schema_check.h"
#include "protocol/error.h"

namespace pons {

/// A file with a model that an adapter needs.
struct ModelFile {
  std::string name;
  std::string description;  ///< this and what follows may be empty
  std::string package;      ///< the distribution that carries it; empty: it lies in the adapter's folder
  std::string version;      ///< of the package
  std::string file;         ///< relative to site-packages, or to the adapter's folder
  std::string sha256;
  std::optional<std::uintmax_t> size;  ///< bytes
  bool optional = false;               ///< workers start without it too
};

/// A folder with its adapter.yaml, read and checked.
struct AdapterFolder {
  std::filesystem::path folder;
  std::string name;         ///< the framework's, and the namespace where none is given
  std::string description;  ///< may be empty, as may the texts that follow
  std::string version;
  std::string licence;
  std::string python;                  ///< a file or a module instead of `command`
  std::filesystem::path requirements;  ///< absolute
  nlohmann::json options;              ///< the schema of its options; null: none
  std::vector<ModelFile> models;
  Document document;
};

/// What a path given instead of an adapter stands for: a folder with an adapter.yaml, or a command.
struct AdapterTarget {
  std::optional<std::filesystem::path> folder{};
  std::vector<std::string> command{};
};

/// `path` is absolute. A folder or its adapter.yaml; a Python file (.py), run by python3; a program. The error says what is wrong.
Result<AdapterTarget> adapter_target(const std::filesystem::path& path);

/// Folders of all adapters below the folders of `search`, by name; of two with one name the first wins.
std::vector<std::pair<std::string, std::filesystem::path>> list_adapters(const std::vector<std::filesystem::path>& search);

/// The adapter of that name; the error names the nearest ones and where they were looked for.
Result<std::filesystem::path> find_adapter(const std::string& name, const std::vector<std::filesystem::path>& search);

/// Throws ConfigError with everything that is wrong in it, or missing beside it.
AdapterFolder read_adapter_folder(const std::filesystem::path& folder, const SchemaCheck& check);

/// A namespace made of a file's or folder's name: other characters become `_`.
std::string namespace_from(std::string_view name);

}  // namespace pons
