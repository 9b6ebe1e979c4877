#include "host/environment/state.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <system_error>

#include "host/environment/sha256.h"

namespace pons {

namespace fs = std::filesystem;
using nlohmann::json;

json EnvironmentMarker::to_json() const {
  return {{"requirements", requirements}, {"python", python}, {"tool", tool}, {"made", made}, {"bytes", bytes}};
}

std::optional<EnvironmentMarker> EnvironmentMarker::parse(std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  EnvironmentMarker marker;
  for (const auto& [key, field] : {std::pair("requirements", &marker.requirements), std::pair("python", &marker.python),
                                   std::pair("tool", &marker.tool), std::pair("made", &marker.made)}) {
    const auto found = value.find(key);
    if (found == value.end() || !found->is_string()) return std::nullopt;
    *field = *found;
  }
  const auto bytes = value.find("bytes");
  if (bytes == value.end() || !bytes->is_number_unsigned()) return std::nullopt;
  marker.bytes = *bytes;
  return marker;
}

fs::path EnvironmentMarker::file_in(const fs::path& environment) { return environment / "pons.json"; }

std::string_view to_string(EnvironmentState state) {
  switch (state) {
    case EnvironmentState::missing:
      return "missing";
    case EnvironmentState::incomplete:
      return "incomplete";
    case EnvironmentState::broken:
      return "broken";
    case EnvironmentState::out_of_date:
      return "out of date";
    case EnvironmentState::ready:
      return "ready";
  }
  return {};
}

EnvironmentState judge(const EnvironmentFound& found) {
  if (!found.there) return EnvironmentState::missing;
  if (!found.marker) return EnvironmentState::incomplete;
  if (!found.interpreter) return EnvironmentState::broken;
  return found.marker->requirements == found.requirements ? EnvironmentState::ready : EnvironmentState::out_of_date;
}

EnvironmentFound look_at(const EnvironmentPlace& place, const fs::path& requirements, fs::path& folder) {
  EnvironmentFound found;
  std::error_code failed;
  folder = fs::canonical(place.current(), failed);
  if (failed) folder.clear();
  found.requirements = sha256_of_file(requirements).value_or("");
  found.there = !folder.empty();
  if (!found.there) return found;
  std::ifstream file(EnvironmentMarker::file_in(folder), std::ios::binary);
  if (file) found.marker = EnvironmentMarker::parse(std::string(std::istreambuf_iterator<char>(file), {}));
  found.interpreter = ::access((folder / "bin" / "python").c_str(), X_OK) == 0;
  return found;
}

}  // namespace pons
