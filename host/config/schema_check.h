// Holds documents against the JSON Schema that ships in the program, and says in words where they differ.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "host/config/document.h"

namespace pons {

enum class DocumentKind : std::uint8_t { config, adapter_file };

/// valijson decides whether a document fits; the words are ours. Reading the schema takes some milliseconds: make one a load.
class SchemaCheck {
 public:
  SchemaCheck();
  ~SchemaCheck();
  SchemaCheck(const SchemaCheck&) = delete;
  SchemaCheck& operator=(const SchemaCheck&) = delete;

  /// Every way in which the document is wrong.
  [[nodiscard]] std::vector<ConfigIssue> check(const Document& document, DocumentKind kind) const;

  [[nodiscard]] const nlohmann::json& schema() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pons
