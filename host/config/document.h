// One file of configuration as a JSON document that remembers where everything stood.
//
// YAML is read as YAML 1.2's core schema: plain true, false, null and numbers are that, everything quoted is text; a key may not stand
// twice; merge keys (`<<`) and tags of one's own are refused. Bounds: kMaxDocumentBytes of file, kMaxDocumentDepth of nesting,
// kMaxDocumentNodes and kMaxDocumentText in all, aliases counted as often as they are used.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/error.h"

namespace pons {

inline constexpr std::size_t kMaxDocumentBytes = 1u << 20;
inline constexpr std::size_t kMaxDocumentNodes = 100'000;
inline constexpr std::size_t kMaxDocumentText = 4u << 20;  ///< bytes of all keys and texts
inline constexpr std::size_t kMaxKeyBytes = 256;
inline constexpr int kMaxDocumentDepth = 48;  ///< leaves room for the envelope that `options` travels in

struct Position {
  int line = 0;  ///< from 1; 0: unknown
  int column = 0;
};

/// Keys and list indexes (as text) from the root.
using ConfigPath = std::vector<std::string>;

/// `adapters.dspy.command[0]`; keys that are not plain words stand in quotes.
std::string to_string(const ConfigPath& path);

struct Document {
  struct Marks {
    Position key;  ///< of a list's element: where the element is
    Position value;
  };
  std::string file;  ///< as messages name it
  nlohmann::json value;
  std::map<ConfigPath, Marks> marks;

  /// Of the value at `path`, or of the nearest thing around it that has a place in the file.
  [[nodiscard]] Position value_at(ConfigPath path) const;
  [[nodiscard]] Position key_at(ConfigPath path) const;
  /// An issue with the value, or with the key, at `path`.
  [[nodiscard]] ConfigIssue value_issue(const ConfigPath& path, std::string message) const;
  [[nodiscard]] ConfigIssue key_issue(const ConfigPath& path, std::string message) const;
};

/// JSON if the name ends in .json, else YAML; an empty text is null. Throws ConfigError.
Document parse_document(std::string_view text, const std::string& file);

/// The same, of a regular file of at most kMaxDocumentBytes, which messages call `name`. Throws ConfigError that says what is wrong with
/// the file.
Document read_document(const std::filesystem::path& path, const std::string& name);
Document read_document(const std::filesystem::path& path);

}  // namespace pons
