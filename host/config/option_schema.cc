#include "host/config/option_schema.h"

#include <re2/re2.h>

#include <utility>

#include "host/config/schema_node.h"

namespace pons {
namespace {

using nlohmann::json;

void check_part(const Document& document, const json& schema, const ConfigPath& at, std::vector<ConfigIssue>& issues) {
  const auto below = [&](const auto&... keys) {
    ConfigPath path = at;
    (path.emplace_back(keys), ...);
    return path;
  };
  if (const auto pattern = schema.find("pattern");
      pattern != schema.end() && !re2::RE2(pattern->get<std::string>(), re2::RE2::Quiet).ok()) {
    issues.push_back(document.value_issue(below("pattern"), "expected a regular expression, got " + pattern->dump()));
    return;
  }
  if (const auto items = schema.find("items"); items != schema.end()) check_part(document, *items, below("items"), issues);
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    for (const auto& [name, inner] : properties->items()) check_part(document, inner, below("properties", name), issues);
  }
  const auto value = schema.find("default");
  if (value == schema.end() || !issues.empty()) return;
  std::vector<ConfigIssue> wrong;
  explain(SchemaNode(schema, schema), *value, issues_of(document), wrong);
  for (const ConfigIssue& issue : wrong) {
    issues.push_back(document.value_issue(below("default"), (issue.path.empty() ? "" : issue.path + ": ") + issue.message));
  }
}

}  // namespace

std::vector<ConfigIssue> check_option_schema(const Document& adapter_file) {
  std::vector<ConfigIssue> issues;
  const json* const schema = find_at(adapter_file.value, {"options"});
  if (schema != nullptr && schema->is_object()) check_part(adapter_file, *schema, {"options"}, issues);
  return issues;
}

json with_option_defaults(const json& schema, json options) {
  const auto properties = schema.is_object() ? schema.find("properties") : schema.end();
  if (!schema.is_object() || properties == schema.end() || !options.is_object()) return options;
  for (const auto& [name, inner] : properties->items()) {
    if (!options.contains(name) && inner.contains("default")) options[name] = inner["default"];
    if (options.contains(name)) options[name] = with_option_defaults(inner, options[name]);
  }
  return options;
}

void check_options(const json& schema, const json& options, const Layers& layers, std::vector<ConfigIssue>& issues) {
  if (!schema.is_object()) return;
  const auto whole = [](const ConfigPath& path) {
    ConfigPath out{"options"};
    out.insert(out.end(), path.begin(), path.end());
    return out;
  };
  const IssueMaker make{[&](const ConfigPath& path, std::string message) { return layers.issue(whole(path), std::move(message)); },
                        [&](const ConfigPath& path, std::string message) { return layers.key_issue(whole(path), std::move(message)); }};
  explain(SchemaNode(schema, schema), options, make, issues);
}

}  // namespace pons
