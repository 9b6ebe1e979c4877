#include "host/config/document_builder.h"

#include <utility>

namespace pons {

DocumentBuilder::DocumentBuilder(std::string file) { document_.file = std::move(file); }

void DocumentBuilder::fail(Position at, std::string message) const {
  ConfigPath path = path_;
  if (!open_.empty() && open_.back().has_key) path.push_back(open_.back().key);
  throw ConfigError({ConfigIssue{document_.file, at.line, at.column, to_string(path), std::move(message)}});
}

namespace {

std::string_view text_of(const nlohmann::json& value) {
  return value.is_string() ? std::string_view(value.get_ref<const std::string&>()) : std::string_view();
}

}  // namespace

void DocumentBuilder::count(std::size_t nodes, std::string_view text, Position at) {
  nodes_ += nodes;
  text_ += text.size();
  if (text.find('\0') != std::string_view::npos) fail(at, "a text must not hold the character NUL");
  if (nodes_ > kMaxDocumentNodes || text_ > kMaxDocumentText) {
    fail(at, "expected at most " + std::to_string(kMaxDocumentNodes) + " values and " + std::to_string(kMaxDocumentText) +
                 " bytes of text in all (aliases count as what they stand for)");
  }
}

// Recursion is as deep as the document may be.
void DocumentBuilder::count_all(const nlohmann::json& value, int depth, Position at) {
  if (value.is_structured() && depth > kMaxDocumentDepth) fail(at, "nested deeper than " + std::to_string(kMaxDocumentDepth) + " levels");
  count(1, text_of(value), at);
  if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) {
      count(0, key, at);
      count_all(inner, depth + 1, at);
    }
  } else if (value.is_array()) {
    for (const auto& inner : value) count_all(inner, depth + 1, at);
  }
}

void DocumentBuilder::key(const std::string& name, Position at) {
  Open& map = open_.back();
  if (name.size() > kMaxKeyBytes) fail(at, "a key is longer than " + std::to_string(kMaxKeyBytes) + " bytes");
  count(0, name, at);
  map.has_key = true;
  map.key = name;
  map.key_at = at;
  if (!map.value->contains(name)) return;
  ConfigPath path = path_;
  path.push_back(name);
  const Position first = document_.key_at(path);
  issues_.push_back(
      {document_.file, at.line, at.column, to_string(path), "the key stands twice (first in line " + std::to_string(first.line) + ")"});
}

// Puts a value where the innermost open container wants it, and remembers where it stood.
nlohmann::json& DocumentBuilder::place(nlohmann::json value, Position at) {
  if (open_.empty()) {
    document_.marks[{}] = {at, at};
    document_.value = std::move(value);
    return document_.value;
  }
  Open& parent = open_.back();
  if (!parent.is_map) {
    path_.push_back(std::to_string(parent.value->size()));
    document_.marks[path_] = {at, at};
    parent.value->push_back(std::move(value));
    return parent.value->back();
  }
  parent.has_key = false;
  path_.push_back(parent.key);
  document_.marks[path_] = {parent.key_at, at};
  return (*parent.value)[parent.key] = std::move(value);
}

void DocumentBuilder::begin(nlohmann::json empty, Position at) {
  if (open_.size() >= static_cast<std::size_t>(kMaxDocumentDepth)) {
    fail(at, "nested deeper than " + std::to_string(kMaxDocumentDepth) + " levels");
  }
  count(1, {}, at);
  const bool is_map = empty.is_object();
  nlohmann::json& value = place(std::move(empty), at);
  open_.push_back({&value, is_map, false, {}, {}});
}

const nlohmann::json& DocumentBuilder::end() {
  const nlohmann::json& done = *open_.back().value;
  open_.pop_back();
  if (!path_.empty()) path_.pop_back();
  return done;
}

void DocumentBuilder::scalar(nlohmann::json value, Position at) {
  count(1, text_of(value), at);
  place(std::move(value), at);
  if (!path_.empty()) path_.pop_back();
}

void DocumentBuilder::copy(const nlohmann::json& value, Position at) {
  count_all(value, static_cast<int>(open_.size()) + 1, at);
  place(value, at);
  if (!path_.empty()) path_.pop_back();
}

Document DocumentBuilder::finish() {
  if (!issues_.empty()) throw ConfigError(std::move(issues_));
  return std::move(document_);
}

}  // namespace pons
