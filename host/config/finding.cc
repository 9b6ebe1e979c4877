#include "host/config/finding.h"

namespace pons {

using nlohmann::json;

ConfigIssue Finding::as_issue() const {
  ConfigIssue issue = place;
  issue.message = message + "; " + remedy;
  return issue;
}

json to_json(const std::vector<Finding>& findings) {
  json out = json::array();
  for (const Finding& finding : findings) {
    json& one = out.emplace_back(json{{"kind", finding.kind}, {"name", finding.name}, {"remedy", finding.remedy}});
    if (!finding.found.empty()) one["found"] = finding.found;
  }
  return out;
}

Error missing_error(ErrorCode code, const std::string& adapter, const std::vector<Finding>& findings) {
  Error error{code, adapter + " cannot start: " + findings.front().message + "; " + findings.front().remedy};
  if (findings.size() > 1) error.message += " (and " + std::to_string(findings.size() - 1) + " more)";
  error.details = {{"missing", to_json(findings)}};
  error.retryable = false;  // until somebody has mended it
  return error;
}

}  // namespace pons
