#include "host/config/layers.h"

#include <charconv>
#include <utility>

namespace pons {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

void merge(json& base, const json& over) {
  if (over.is_null()) return;
  if (!base.is_object() || !over.is_object()) {
    base = over;
    return;
  }
  for (const auto& [key, value] : over.items()) merge(base[key], value);
}

bool starts_like_path(const std::string& text) { return text.starts_with("./") || text.starts_with("../"); }

// The program if it is a path at all, and arguments that clearly are.
void make_command_absolute(json& command, const fs::path& folder) {
  for (std::size_t i = 0; i < command.size(); ++i) {
    if (!command[i].is_string()) continue;
    const auto text = command[i].get<std::string>();
    const bool is_path = i == 0 ? text.find('/') != std::string::npos : starts_like_path(text);
    if (is_path) command[i] = absolute_from(folder, text).string();
  }
}

}  // namespace

fs::path absolute_from(const fs::path& folder, const fs::path& path) {
  fs::path out = (folder / path).lexically_normal();
  return out.has_filename() || out == out.root_path() ? out : out.parent_path();
}

const json* find_at(const json& root, const ConfigPath& path) {
  const json* value = &root;
  for (const std::string& key : path) {
    if (value->is_array()) {
      std::size_t index = 0;
      std::from_chars(key.data(), key.data() + key.size(), index);
      if (index >= value->size()) return nullptr;
      value = &(*value)[index];
      continue;
    }
    if (!value->is_object() || !value->contains(key)) return nullptr;
    value = &value->at(key);
  }
  return value;
}

void Layers::add(const Document& document, ConfigPath at, json value, const fs::path& folder) {
  if (!value.is_object()) value = json::object();
  if (value.contains("command") && value["command"].is_array()) make_command_absolute(value["command"], folder);
  if (value.contains("working_dir") && value["working_dir"].is_string()) {
    value["working_dir"] = absolute_from(folder, value["working_dir"].get<std::string>()).string();
  }
  merge(merged_, value);
  layers_.push_back({&document, std::move(at), std::move(value), folder});
}

json Layers::at(const ConfigPath& path) const {
  const json* const value = find_at(merged_, path);
  return value == nullptr ? json(nullptr) : *value;
}

const Layers::Layer* Layers::layer_of(const ConfigPath& path) const {
  for (auto layer = layers_.rbegin(); layer != layers_.rend(); ++layer) {
    const json* const value = find_at(layer->value, path);
    if (value != nullptr && !value->is_null()) return &*layer;
  }
  return nullptr;
}

fs::path Layers::folder_of(const ConfigPath& path) const {
  const Layer* const layer = layer_of(path);
  return layer == nullptr ? fs::path{} : layer->folder;
}

// Where in which document somebody said `path` last. What was made of `python` was said there.
std::pair<const Layers::Layer&, ConfigPath> Layers::said_at(const ConfigPath& path) const {
  const Layer* layer = layer_of(path);
  if (layer == nullptr) layer = &layers_.back();
  ConfigPath whole = layer->at;
  const bool from_python =
      layer->at.empty() && !path.empty() && path[0] == "command" && find_at(layer->document->value, {"python"}) != nullptr;
  if (from_python) {
    whole.emplace_back("python");
  } else {
    whole.insert(whole.end(), path.begin(), path.end());
  }
  return {*layer, std::move(whole)};
}

ConfigIssue Layers::issue(const ConfigPath& path, std::string message) const {
  const auto [layer, whole] = said_at(path);
  return layer.document->value_issue(whole, std::move(message));
}

ConfigIssue Layers::key_issue(const ConfigPath& path, std::string message) const {
  const auto [layer, whole] = said_at(path);
  return layer.document->key_issue(whole, std::move(message));
}

}  // namespace pons
