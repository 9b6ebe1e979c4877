#include "protocol/document_check.h"

#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/limits.h"
#include "protocol/text_scan.h"
#include "protocol/utf8.h"

namespace pons::detail {
namespace {

using nlohmann::json;

// A walk through a document that remembers where it is.
class Finder {
 public:
  Finder(Codec codec, int depth) : codec_(codec), depth_(depth) {}

  std::optional<Error> search(const json& root) {
    if (auto error = visit(root)) return error;
    while (!open_.empty()) {
      Step& step = open_.back();
      if (step.next == step.container->end()) {
        open_.pop_back();
        continue;
      }
      const json& child = *step.next;
      step.current = step.next++;
      ++step.index;
      if (step.container->is_object() && !valid_utf8(step.current.key()))
        return complain(ErrorCode::worker_error, "has a key that is not valid UTF-8");
      if (auto error = visit(child)) return error;
    }
    return std::nullopt;
  }

 private:
  struct Step {
    const json* container;
    json::const_iterator next, current;
    std::size_t index;  // of `current`, plus one
  };

  std::optional<Error> visit(const json& value) {
    switch (value.type()) {
      case json::value_t::object:
      case json::value_t::array:
        if (static_cast<std::size_t>(depth_) + open_.size() >= kMaxDepth) return complain(ErrorCode::bad_frame, "is nested deeper than 64");
        open_.push_back({&value, value.begin(), value.end(), 0});
        return std::nullopt;
      case json::value_t::string:
        if (valid_utf8(value.get_ref<const std::string&>())) return std::nullopt;
        return complain(ErrorCode::worker_error, "is a string that is not valid UTF-8");
      case json::value_t::binary:
        if (codec_ == Codec::msgpack) return std::nullopt;
        return complain(ErrorCode::unsupported_codec, "is binary, which JSON cannot carry");
      case json::value_t::number_float:
        if (codec_ == Codec::msgpack || std::isfinite(value.get<double>())) return std::nullopt;
        return complain(ErrorCode::worker_error, "is NaN or infinite, which JSON cannot carry");
      case json::value_t::discarded:
        return complain(ErrorCode::worker_error, "is no value");
      case json::value_t::null:
      case json::value_t::boolean:
      case json::value_t::number_integer:
      case json::value_t::number_unsigned:
        return std::nullopt;
    }
    return std::nullopt;
  }

  [[nodiscard]] Error complain(ErrorCode code, const char* what) const {
    json::json_pointer pointer;
    for (const Step& step : open_) {
      if (step.container->is_array()) {
        pointer.push_back(std::to_string(step.index - 1));
      } else {
        pointer.push_back(repaired_utf8(step.current.key()));
      }
    }
    return Error{code, "The value at \"" + pointer.to_string() + "\" " + what + "."};
  }

  Codec codec_;
  int depth_;
  std::vector<Step> open_;
};

json encodable_object(Codec codec, const json& value, int depth) {
  json out = json::object();
  for (const auto& [key, child] : value.items()) out[repaired_utf8(key)] = made_encodable(codec, child, depth + 1);
  return out;
}

json encodable_array(Codec codec, const json& value, int depth) {
  json out = json::array();
  for (const json& child : value) out.push_back(made_encodable(codec, child, depth + 1));
  return out;
}

}  // namespace

std::optional<Error> find_unencodable(Codec codec, const json& value, int depth) { return Finder(codec, depth).search(value); }

json made_encodable(Codec codec, const json& value, int depth) {
  if (value.is_structured() && depth >= kMaxDepth) return nullptr;
  if (value.is_object()) return encodable_object(codec, value, depth);
  if (value.is_array()) return encodable_array(codec, value, depth);
  if (value.is_string()) return repaired_utf8(value.get_ref<const std::string&>());
  const bool beyond_json = value.is_binary() || (value.is_number_float() && !std::isfinite(value.get<double>()));
  return value.is_discarded() || (codec == Codec::json && beyond_json) ? json(nullptr) : value;
}

}  // namespace pons::detail
