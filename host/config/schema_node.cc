#include "host/config/schema_node.h"

#include <re2/re2.h>

#include <algorithm>
#include <regex>

namespace pons {
namespace {

using nlohmann::json;

bool is_type(const json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  return value.is_object();
}

// `types` is one name or a list of names.
bool names_type(const json& types, const std::string& type) {
  if (types.is_string()) return types == type;
  return std::find(types.begin(), types.end(), type) != types.end();
}

bool fits_types(const json& value, const json& types) {
  if (types.is_string()) return is_type(value, types);
  return std::any_of(types.begin(), types.end(), [&](const json& type) { return is_type(value, type); });
}

// In linear time, whatever the text. Only patterns of our own look ahead, which RE2 cannot; they are harmless.
bool matches(const json& pattern, const std::string& text) {
  const re2::RE2 expression(pattern.get<std::string>(), re2::RE2::Quiet);
  if (expression.ok()) return re2::RE2::PartialMatch(text, expression);
  return std::regex_search(text, std::regex(pattern.get<std::string>()));
}

// Length counts code points, as JSON Schema says.
std::size_t length(const std::string& text) {
  std::size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) == 0x80 ? 0u : 1u;
  return n;
}

bool fits_keyword(const std::string& keyword, const json& rule, const json& value) {
  if (keyword == "type") return fits_types(value, rule);
  if (keyword == "enum") return std::find(rule.begin(), rule.end(), value) != rule.end();
  if (keyword == "pattern") return !value.is_string() || matches(rule, value);
  if (keyword == "minLength") return !value.is_string() || length(value) >= rule.get<std::size_t>();
  if (keyword == "minimum") return !value.is_number() || value >= rule;
  if (keyword == "maximum") return !value.is_number() || value <= rule;
  if (keyword == "maxLength") return !value.is_string() || length(value) <= rule.get<std::size_t>();
  if (keyword == "exclusiveMinimum") return !value.is_number() || value > rule;
  if (keyword == "exclusiveMaximum") return !value.is_number() || value < rule;
  if (keyword == "maxItems") return !value.is_array() || value.size() <= rule.get<std::size_t>();
  if (keyword == "minItems") return !value.is_array() || value.size() >= rule.get<std::size_t>();
  return true;  // of the rest, none speaks of the value itself
}

// A number, a length or a count; the words of `number` or " of N to M things".
std::string bounds(const std::vector<std::pair<const char*, const json*>>& rules) {
  std::string out;
  for (const auto& [words, rule] : rules) {
    if (rule != nullptr) out += (out.empty() ? " " : " and ") + std::string(words) + rule->dump();
  }
  return out;
}

}  // namespace

SchemaNode::SchemaNode(const json& root, const json& schema) : root_(&root) { add(schema); }

void SchemaNode::add(const json& schema) {
  const auto ref = schema.find("$ref");
  if (ref != schema.end()) return add(root_->at(json::json_pointer(ref->get<std::string>().substr(1))));
  parts_.push_back(&schema);
  const auto all = schema.find("allOf");
  if (all == schema.end()) return;
  for (const json& part : *all) add(part);
}

const json* SchemaNode::keyword(const char* name) const {
  for (const json* part : parts_) {
    const auto found = part->find(name);
    if (found != part->end()) return &*found;
  }
  return nullptr;
}

std::vector<std::string> SchemaNode::property_names() const {
  std::vector<std::string> names;
  for (const json* part : parts_) {
    const auto properties = part->find("properties");
    if (properties == part->end()) continue;
    for (const auto& [name, schema] : properties->items()) names.push_back(name);
  }
  return names;
}

SchemaNode SchemaNode::property(const std::string& key) const {
  SchemaNode node(*root_);
  bool closed = false;
  for (const json* part : parts_) {
    const auto properties = part->find("properties");
    const auto rest = part->find("additionalProperties");
    if (properties != part->end() && properties->contains(key)) {
      node.add(properties->at(key));
    } else if (rest != part->end() && rest->is_object()) {
      node.add(*rest);
    } else if (rest != part->end() && *rest == false) {
      closed = true;
    }
  }
  node.anything_ = node.parts_.empty() && !closed;
  return node;
}

SchemaNode SchemaNode::items() const {
  SchemaNode node(*root_);
  const json* const schema = keyword("items");
  if (schema != nullptr) node.add(*schema);
  return node;
}

bool SchemaNode::fits(const json& value) const {
  for (const json* part : parts_) {
    for (const auto& [keyword, rule] : part->items()) {
      if (!fits_keyword(keyword, rule, value)) return false;
    }
  }
  return true;
}

SchemaNode SchemaNode::names() const {
  SchemaNode node(*root_);
  const json* const schema = keyword("propertyNames");
  if (schema != nullptr) node.add(*schema);
  return node;
}

bool SchemaNode::has_type(const char* type) const {
  const json* const types = keyword("type");
  return types != nullptr && names_type(*types, type);
}

std::string SchemaNode::expected_number() const {
  const json* const low = keyword("minimum");
  const json* const high = keyword("maximum");
  const json* const above = keyword("exclusiveMinimum");
  const json* const below = keyword("exclusiveMaximum");
  if (low != nullptr && high != nullptr && above == nullptr && below == nullptr) return " from " + low->dump() + " to " + high->dump();
  return bounds({{">= ", low}, {"> ", above}, {"<= ", high}, {"< ", below}});
}

std::string SchemaNode::expected() const {
  if (const json* title = keyword("title")) return *title;
  if (const json* choices = keyword("enum")) {
    std::string out = "one of ";
    for (const json& choice : *choices) out += (out.size() > 7 ? ", " : "") + (choice.is_string() ? std::string(choice) : choice.dump());
    return out;
  }
  if (has_type("integer")) return "an integer" + expected_number();
  if (has_type("number")) return "a number" + expected_number();
  if (has_type("boolean")) return "true or false";
  if (has_type("string")) {
    const json* const least = keyword("minLength");
    const json* const most = keyword("maxLength");
    if (const json* const pattern = keyword("pattern")) return "a text that fits " + std::string(*pattern);
    if (most != nullptr) return "a text of" + bounds({{"at least ", least}, {"at most ", most}}) + " characters";
    return least != nullptr ? "a text that is not empty" : "a text";
  }
  if (has_type("array")) {
    const std::string count = bounds({{"at least ", keyword("minItems")}, {"at most ", keyword("maxItems")}});
    const std::string list = count.empty() ? "a list" : "a list of" + count + " elements";
    return items().known() ? list + "; each element " + items().expected() : list;
  }
  return "a map of keys and values";
}

}  // namespace pons
