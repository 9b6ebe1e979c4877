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
#include "host/config/explanation.h"
#include "host/config/schema_node.h"
#include "host/utf8.h"

namespace pons {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

// std::regex recurses with the length of its text. No pattern of ours fits a text with the mark at its end, but those that fit any.
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

// Without its name: references in it are its own.
json parsed(std::string_view schema) {
  json root = json::parse(schema);
  root.erase("$id");
  return root;
}

}  // namespace

struct SchemaCheck::Impl {
  json config = parsed(config_schema());
  json adapter_file = parsed(adapter_schema());
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
  if (!valid) explain(node, value, issues_of(document), issues);
  if (!valid && issues.empty()) {  // the schema says what our words do not know yet
    for (const auto& error : results) issues.push_back(document.value_issue({}, error.description));
    if (issues.empty()) issues.push_back(document.value_issue({}, "does not fit the schema"));
  }
  return issues;
}

}  // namespace pons
