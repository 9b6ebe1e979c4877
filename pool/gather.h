// One request of a parent that goes to all workers of a pool (`cleanup`, `get_stats`, `list_<type>s`), and its one answer: numbers are
// summed, the arrays of a list concatenated, all else kept by worker id under `workers`; workers that failed are named in `errors`.
// Entirely passive.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "protocol/error.h"

namespace pons {

class Gather {
 public:
  /// `list_key`: the field that is concatenated, "" if none.
  Gather(std::size_t shares, std::string list_key) : missing_(shares), list_key_(std::move(list_key)) {}

  /// One worker's share. True when it was the last.
  bool add(const std::string& worker, Result<nlohmann::json> result);
  /// Once all are there: the merged result, or the first error if every worker failed.
  [[nodiscard]] Result<nlohmann::json> result() const;

 private:
  std::size_t missing_;
  std::string list_key_;
  std::vector<std::pair<std::string, Result<nlohmann::json>>> shares_;
};

}  // namespace pons
