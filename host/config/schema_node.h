// A place in our own JSON Schema: the schema there with everything that its `allOf` and `$ref` bring in.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pons {

/// Points into the schema document, which must outlive it. Knows the keywords that our own schemas use, and those
/// that they allow for the options of an adapter.
class SchemaNode {
 public:
  SchemaNode(const nlohmann::json& root, const nlohmann::json& schema);

  /// The first value of a keyword, the node's own before what it brings in; null if there is none.
  [[nodiscard]] const nlohmann::json* keyword(const char* name) const;
  /// Names under `properties`.
  [[nodiscard]] std::vector<std::string> property_names() const;
  /// What describes the value of that key; `known` is false if no key of that name may stand here.
  [[nodiscard]] SchemaNode property(const std::string& key) const;
  [[nodiscard]] SchemaNode items() const;
  /// What describes the names of keys; not known where they are free.
  [[nodiscard]] SchemaNode names() const;
  [[nodiscard]] bool known() const { return anything_ || !parts_.empty(); }

  /// Whether the value itself (not what is inside it) is as the keywords say.
  [[nodiscard]] bool fits(const nlohmann::json& value) const;
  /// What is wanted here, in words: "an integer >= 1", "one of fd, stdio".
  [[nodiscard]] std::string expected() const;

 private:
  explicit SchemaNode(const nlohmann::json& root) : root_(&root) {}
  void add(const nlohmann::json& schema);
  [[nodiscard]] bool has_type(const char* type) const;
  [[nodiscard]] std::string expected_number() const;

  const nlohmann::json* root_;
  std::vector<const nlohmann::json*> parts_;
  bool anything_ = false;
};

}  // namespace pons
