#include "host/config/schema_check.h"

#include <algorithm>
#include <string>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "host/config/config.h"
#include "host/config/schema_node.h"
#include "host/config/unsupported.h"
#include "host/nearest.h"
#include "host/utf8.h"

namespace pons {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

// std::regex recurses with the length of its text. No pattern of ours fits a text with the mark at its end.
constexpr std::size_t kLongestChecked = 256;

std::string shortened(const std::string& text) {
  if (text.size() <= kLongestChecked) return text;
  std::size_t end = 0;
  while (end < kLongestChecked) end += utf8_length(text, end);
  return text.substr(0, end) + "\x01";
}

json with_short_texts(const json& value) {
  if (value.is_string()) return shortened(value.get_ref<const std::string&>());
  if (!value.is_structured()) return value;
  json out = value;
  for (json& inner : out) inner = with_short_texts(inner);
  return out;
}

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
  Explanation(const Document& document, std::vector<ConfigIssue>& issues) : document_(document), issues_(issues) {}

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
      if (!map.contains(key)) issues_.push_back(document_.key_issue(path_, "expected the key \"" + key.get<std::string>() + "\""));
    }
  }

  void key_issue(const std::string& key, std::string message) {
    path_.push_back(key);
    issues_.push_back(document_.key_issue(path_, std::move(message)));
    path_.pop_back();
  }

  // The nearest key that may stand here; else the section in which a key of that name may.
  static std::string hint(const SchemaNode& node, const std::string& key) {
    const std::vector<std::string> names = node.property_names();
    for (const std::string& name : names) {
      const std::vector<std::string> inner = node.property(name).property_names();
      if (std::find(inner.begin(), inner.end(), key) != inner.end()) return did_you_mean(name + "." + key, {name + "." + key});
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
    if (value.is_string() && node.keyword("enum") != nullptr) {
      message += did_you_mean(value.get<std::string>(), node.keyword("enum")->get<std::vector<std::string>>());
    }
    issues_.push_back(document_.value_issue(path_, std::move(message)));
  }

  const Document& document_;
  std::vector<ConfigIssue>& issues_;
  ConfigPath path_;
};

// `entry` at `path` may say nothing of them.
void refuse_unsupported(const Document& document, const SchemaNode& node, const json& entry, const ConfigPath& path,
                        std::vector<ConfigIssue>& issues) {
  for (const std::string_view key : kUnsupportedKeys) {
    const std::string name(key);
    if (!entry.is_object() || !entry.contains(name) || entry[name].empty() || !node.property(name).fits(entry[name])) continue;
    ConfigPath at = path;
    at.push_back(name);
    issues.push_back(document.key_issue(at, "not supported by this version"));
  }
}

json adapter_file_schema(const json& schema) {
  json root = schema.at("definitions").at("adapter_file");
  root["definitions"] = schema.at("definitions");
  return root;
}

}  // namespace

struct SchemaCheck::Impl {
  json config = json::parse(config_schema());
  json adapter_file = adapter_file_schema(config);
  valijson::Schema config_rules;
  valijson::Schema adapter_rules;
};

SchemaCheck::SchemaCheck() : impl_(std::make_unique<Impl>()) {
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
  parser.populateSchema(NlohmannJsonAdapter(impl_->config), impl_->config_rules);
  parser.populateSchema(NlohmannJsonAdapter(impl_->adapter_file), impl_->adapter_rules);
}

SchemaCheck::~SchemaCheck() = default;

const json& SchemaCheck::schema() const { return impl_->config; }

std::vector<ConfigIssue> SchemaCheck::check(const Document& document, DocumentKind kind) const {
  const bool config = kind == DocumentKind::config;
  const json& root = config ? impl_->config : impl_->adapter_file;
  const json value = with_short_texts(document.value);
  const SchemaNode node(root, root);
  std::vector<ConfigIssue> issues;

  valijson::ValidationResults results;
  valijson::Validator validator;
  const bool valid = validator.validate(config ? impl_->config_rules : impl_->adapter_rules, NlohmannJsonAdapter(value), &results);
  if (!valid) Explanation(document, issues).visit(node, value);
  if (!valid && issues.empty()) {  // the schema says what our words do not know yet
    for (const auto& error : results) issues.push_back(document.value_issue({}, error.description));
    if (issues.empty()) issues.push_back(document.value_issue({}, "does not fit the schema"));
  }

  if (!value.is_object()) return issues;
  if (value.contains("defaults")) refuse_unsupported(document, node.property("defaults"), value["defaults"], {"defaults"}, issues);
  if (!config || !value.contains("adapters") || !value["adapters"].is_object()) return issues;
  for (const auto& [name, entry] : value["adapters"].items()) {
    refuse_unsupported(document, node.property("adapters").property(name), entry, {"adapters", name}, issues);
  }
  return issues;
}

}  // namespace pons
