#include "pool/gather.h"

#include <cstdint>
#include <limits>
#include <optional>

namespace pons {

namespace {

void add_number(nlohmann::json& sum, const nlohmann::json& value) {
  std::int64_t whole = 0;
  const auto is_whole = [](const nlohmann::json& n) {
    return n.is_number_integer() && !(n.is_number_unsigned() && n.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max());
  };
  if (sum.is_null()) {
    sum = value;
  } else if (is_whole(sum) && is_whole(value) && !__builtin_add_overflow(sum.get<std::int64_t>(), value.get<std::int64_t>(), &whole)) {
    sum = whole;
  } else {
    sum = sum.get<double>() + value.get<double>();
  }
}

}  // namespace

bool Gather::add(const std::string& worker, Result<nlohmann::json> result) {
  shares_.emplace_back(worker, std::move(result));
  return --missing_ == 0;
}

Result<nlohmann::json> Gather::result() const {
  auto merged = nlohmann::json::object();
  auto workers = nlohmann::json::object();
  auto errors = nlohmann::json::object();
  std::optional<Error> first_error;
  for (const auto& [worker, share] : shares_) {
    if (!share) {
      const auto error = share.error();
      if (!first_error) first_error = error;
      errors[worker] = {{"code", to_string(error.code)}, {"error", error.message}};
      continue;
    }
    auto& rest = workers[worker] = nlohmann::json::object();
    if (!share->is_object()) {
      rest["result"] = *share;
      continue;
    }
    for (const auto& [key, value] : share->items()) {
      auto& field = merged[key];
      if (value.is_number() && (field.is_null() || field.is_number())) {
        add_number(field, value);
      } else if (key == list_key_ && value.is_array() && (field.is_null() || field.is_array())) {
        if (field.is_null()) field = nlohmann::json::array();
        field.insert(field.end(), value.begin(), value.end());
      } else {
        if (field.is_null()) merged.erase(key);
        rest[key] = value;
      }
    }
  }
  if (first_error && errors.size() == shares_.size()) return *first_error;
  merged["workers"] = std::move(workers);
  if (!errors.empty()) merged["errors"] = std::move(errors);
  return Result<nlohmann::json>(boost::system::in_place_value, std::move(merged));
}

}  // namespace pons
