#include "host/config/explanation.h"

#include <algorithm>
#include <utility>

#include "host/nearest.h"
#include "host/utf8.h"

namespace pons {
namespace {

using nlohmann::json;

std::string shown(const json& value) {
  if (value.is_null()) return "nothing";
  if (value.is_object()) return "a map";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  constexpr std::size_t kMost = 60;
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() <= kMost) return text;
  std::size_t end = 0;
  while (end < kMost) end += utf8_length(text, end);
  return text.substr(0, end) + "...";
}

class Explanation {
 public:
  Explanation(const IssueMaker& make, std::vector<ConfigIssue>& issues) : make_(make), issues_(issues) {}

  void visit(const SchemaNode& node, const json& value) {
    if (!node.fits(value)) return wrong_value(node, value);
    if (value.is_object()) visit_map(node, value);
    if (!value.is_array() || !node.items().known()) return;
    for (std::size_t i = 0; i < value.size(); ++i) visit_inner(std::to_string(i), node.items(), value[i]);
  }

 private:
  void visit_inner(const std::string& key, const SchemaNode& node, const json& value) {
    path_.push_back(key);
    visit(node, value);
    path_.pop_back();
  }

  void visit_map(const SchemaNode& node, const json& map) {
    for (const auto& [key, value] : map.items()) {
      const SchemaNode inner = node.property(key);
      if (!node.names().fits(key)) {
        key_issue(key, "expected " + node.names().expected());
      } else if (!inner.known()) {
        key_issue(key, "unknown key" + hint(node, key));
      } else {
        visit_inner(key, inner, value);
      }
    }
    const json* const required = node.keyword("required");
    if (required == nullptr) return;
    for (const json& key : *required) {
      if (!map.contains(key)) issues_.push_back(make_.key(path_, "expected the key \"" + key.get<std::string>() + "\""));
    }
  }

  void key_issue(const std::string& key, std::string message) {
    path_.push_back(key);
    issues_.push_back(make_.key(path_, std::move(message)));
    path_.pop_back();
  }

  // The nearest key that may stand here; else the section in which a key of that name may.
  static std::string hint(const SchemaNode& node, const std::string& key) {
    const std::vector<std::string> names = node.property_names();
    for (const std::string& name : names) {
      const std::vector<std::string> inner = node.property(name).property_names();
      if (std::find(inner.begin(), inner.end(), key) == inner.end()) continue;
      std::string path = name;
      path.append(".").append(key);
      return did_you_mean(path, {path});
    }
    return did_you_mean(key, names);
  }

  // A number where a unit or quotes would have made it right.
  static std::string what_is_missing(const SchemaNode& node, const json& value) {
    const std::string expected = node.expected();
    if (expected.starts_with("a time") || expected.starts_with("a size")) return value == 0 || value.is_boolean() ? "" : " without a unit";
    const json* const types = node.keyword("type");
    return types != nullptr && *types == "string" && node.keyword("enum") == nullptr ? "; write it in quotes" : "";
  }

  void wrong_value(const SchemaNode& node, const json& value) {
    const json* const most = node.keyword("maximum");
    std::string message = "expected " + node.expected();
    const bool too_much = node.keyword("pattern") == nullptr && value.is_number() && most != nullptr && value > *most;
    if (too_much && node.keyword("title") != nullptr) message = "expected at most " + most->dump();
    message += ", got " + shown(value);
    if (value.is_number() || value.is_boolean()) message += what_is_missing(node, value);
    if (const json* const choices = node.keyword("enum"); value.is_string() && choices != nullptr) {
      std::vector<std::string> names;
      for (const json& choice : *choices) {
        if (choice.is_string()) names.push_back(choice);
      }
      message += did_you_mean(value.get<std::string>(), names);
    }
    issues_.push_back(make_.value(path_, std::move(message)));
  }

  const IssueMaker& make_;
  std::vector<ConfigIssue>& issues_;
  ConfigPath path_;
};

}  // namespace

IssueMaker issues_of(const Document& document) {
  return {[&document](const ConfigPath& path, std::string message) { return document.value_issue(path, std::move(message)); },
          [&document](const ConfigPath& path, std::string message) { return document.key_issue(path, std::move(message)); }};
}

void explain(const SchemaNode& node, const json& value, const IssueMaker& make, std::vector<ConfigIssue>& issues) {
  Explanation(make, issues).visit(node, value);
}

}  // namespace pons
