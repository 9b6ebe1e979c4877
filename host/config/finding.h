// Something that a worker needs and that is not there, with what mends it. Unlike a fault of a configuration it can be mended while a
// host runs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/config/error.h"
#include "protocol/error.h"

namespace pons {

struct Finding {
  std::string kind;     ///< variable, environment, interpreter, package or model
  std::string name;     ///< KEY, "dspy>=3.0", a file
  std::string found{};  ///< what is there instead: a version, a state; empty: nothing
  std::string message;  ///< what is needed, and what was found
  std::string remedy;   ///< a command, or what else to do
  ConfigIssue place{};  ///< where it is asked for; its message is empty

  /// "pons.yaml:3:5: adapters.x.required_packages[0]: <message>; <remedy>"
  [[nodiscard]] ConfigIssue as_issue() const;
};

/// [{kind, name, found?, remedy}], as `details.missing` of an error has it.
nlohmann::json to_json(const std::vector<Finding>& findings);

/// What a request is refused with whose adapter lacks these, at least one.
Error missing_error(ErrorCode code, const std::string& adapter, const std::vector<Finding>& findings);

}  // namespace pons
