// From a checked document to a Config: finds adapters, puts the layers together, collects what is wrong.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "host/config/adapter_folder.h"
#include "host/config/config.h"
#include "host/config/layers.h"
#include "host/config/schema_check.h"

namespace pons {

/// Serves one document. `document` must outlive it.
class ConfigLoader {
 public:
  /// `folder` is where the document's relative paths count from.
  ConfigLoader(const ConfigContext& context, const SchemaCheck& check, const Document& document, std::filesystem::path folder);

  /// Throws ConfigError with everything that is wrong.
  Config load();

  /// What lies below an entry.
  enum class Below : std::uint8_t {
    defaults,  ///< those of its adapter.yaml, then those of the document
    nothing,   ///< the entry says all there is to say, but the command may be its adapter's
  };
  /// Only the entry `adapters.NAME`, for a host with these settings. Throws ConfigError.
  AdapterConfig load_one(const std::string& name, const HostConfig& host, Below below);

 private:
  void load_entries(const nlohmann::json& entries);
  void load_bundled();
  std::optional<AdapterConfig> load_entry(const std::string& name, const nlohmann::json& said, std::vector<ConfigIssue>& issues,
                                          Below below = Below::defaults);
  std::optional<AdapterTarget> target_of(const std::string& name, const nlohmann::json& entry, std::vector<ConfigIssue>& issues) const;
  [[nodiscard]] std::optional<AdapterTarget> resolve(const std::string& text, const ConfigPath& at, std::vector<ConfigIssue>& issues) const;
  void set_python_path(AdapterConfig& config, const AdapterFolder* adapter) const;
  [[nodiscard]] std::string reference_of(const std::filesystem::path& folder) const;
  void choose_default();
  [[nodiscard]] bool is_broken(const ConfigPath& path) const;

  const ConfigContext& context_;
  const SchemaCheck& check_;
  const Document& document_;
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> search_;
  std::vector<ConfigIssue> issues_;
  Config config_;
};

}  // namespace pons
