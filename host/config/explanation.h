// What is wrong with a value, in words: a value beside a schema, and an issue for each place where they differ.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/config/document.h"
#include "host/config/schema_node.h"

namespace pons {

/// Makes issues of places: of the value at a path, and of the key there.
struct IssueMaker {
  std::function<ConfigIssue(const ConfigPath& path, std::string message)> value;
  std::function<ConfigIssue(const ConfigPath& path, std::string message)> key;
};

/// Issues with the places of `document`, which must outlive it.
IssueMaker issues_of(const Document& document);

/// Appends an issue for each way in which `value` differs from what `node` describes, as far as SchemaNode knows the keywords.
void explain(const SchemaNode& node, const nlohmann::json& value, const IssueMaker& make, std::vector<ConfigIssue>& issues);

}  // namespace pons
