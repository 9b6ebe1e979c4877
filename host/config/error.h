// What is wrong with a configuration: every fault at once, each with the place where somebody can mend it.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace pons {

/// One fault. `line` and `column` count from 1; 0 where the fault has no place in a file (the file is missing).
struct ConfigIssue {
  std::string file;
  int line = 0;
  int column = 0;
  std::string path;       ///< as in "adapters.dspy.pool.size"; empty: the whole document
  std::string message;    ///< what was expected, and what was found
  std::string pointer{};  ///< `path` as a JSON Pointer into its document

  /// "pons.yaml:12:7: adapters.dspy.pool.sise: unknown key; did you mean "size"?"
  [[nodiscard]] std::string to_string() const;
  bool operator==(const ConfigIssue&) const = default;
};

/// [{file, line, column, path, message}], as `details.issues` of an error has it.
nlohmann::json to_json(const std::vector<ConfigIssue>& issues);

/// Thrown by everything that reads configuration; what() is one line an issue, each file's in its order.
class ConfigError : public std::runtime_error {
 public:
  explicit ConfigError(std::vector<ConfigIssue> issues);
  [[nodiscard]] const std::vector<ConfigIssue>& issues() const noexcept { return issues_; }

 private:
  struct Sorted {
    std::vector<ConfigIssue> all;
  };
  explicit ConfigError(Sorted issues);

  std::vector<ConfigIssue> issues_;
};

}  // namespace pons
