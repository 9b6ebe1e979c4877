// What one adapter is told, in layers: the later beats the earlier. Knows for every value which file said it, and where.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "host/config/document.h"

namespace pons {

class Layers {
 public:
  /// `value` stands at `at` in `document`, which must outlive this. Relative paths in it are made absolute: they count from `folder`.
  void add(const Document& document, ConfigPath at, nlohmann::json value, const std::filesystem::path& folder);

  /// All layers in one: maps key by key, anything else from the last layer that says it.
  [[nodiscard]] const nlohmann::json& merged() const { return merged_; }
  /// The value at `path` (keys below the entry), or null.
  [[nodiscard]] nlohmann::json at(const ConfigPath& path) const;
  /// The folder of the file that said `path` last; empty if none did.
  [[nodiscard]] std::filesystem::path folder_of(const ConfigPath& path) const;
  /// An issue with the value at `path`, where it was said last; with the entry itself if nobody did.
  [[nodiscard]] ConfigIssue issue(const ConfigPath& path, std::string message) const;
  /// The same, with the key there.
  [[nodiscard]] ConfigIssue key_issue(const ConfigPath& path, std::string message) const;

 private:
  struct Layer {
    const Document* document;
    ConfigPath at;
    nlohmann::json value;
    std::filesystem::path folder;
  };
  [[nodiscard]] const Layer* layer_of(const ConfigPath& path) const;
  [[nodiscard]] std::pair<const Layer&, ConfigPath> said_at(const ConfigPath& path) const;

  std::vector<Layer> layers_;
  nlohmann::json merged_ = nlohmann::json::object();
};

/// The value below `root` at `path`, or nothing.
const nlohmann::json* find_at(const nlohmann::json& root, const ConfigPath& path);

/// `path` as it is if absolute, else from `folder`; without `.` and `..` and without a slash at the end.
std::filesystem::path absolute_from(const std::filesystem::path& folder, const std::filesystem::path& path);

}  // namespace pons
