#include "pool/limits_report.h"

#include <array>
#include <utility>

namespace pons {

nlohmann::json LimitsReport::to_json() const {
  const std::array<std::pair<const char*, const LimitState*>, 8> all{{{"cgroup", &cgroup},
                                                                      {"memory", &memory},
                                                                      {"cpu", &cpu},
                                                                      {"processes", &processes},
                                                                      {"open_files", &open_files},
                                                                      {"core", &core},
                                                                      {"nice", &nice},
                                                                      {"cpu_affinity", &cpu_affinity}}};
  auto json = nlohmann::json::object();
  auto how = nlohmann::json::object();
  auto reasons = nlohmann::json::object();
  for (const auto& [name, state] : all) {
    json[name] = state->enforced ? "enforced" : "not_available";
    if (state->enforced && !state->how.empty()) how[name] = state->how;
    if (!state->reason.empty()) reasons[name] = state->reason;
  }
  json["how"] = std::move(how);
  json["reasons"] = std::move(reasons);
  return json;
}

}  // namespace pons
