// One line on a terminal that says how far a call is; nothing anywhere else.
#pragma once

#include <nlohmann/json.hpp>

#include "host/cli/output.h"

namespace pons::cli {

class ProgressLine {
 public:
  explicit ProgressLine(Output& err) : err_(err) {}
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(const nlohmann::json& progress);  ///< {done?, total?, message?}
  void clear();

 private:
  Output& err_;
  bool shown_ = false;
};

/// "40% (2 of 5) training", as far as it is known.
std::string progress_text(const nlohmann::json& progress);

}  // namespace pons::cli
