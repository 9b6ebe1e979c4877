// Resources: of the types that can be created without args.
#include <algorithm>
#include <string>

#include "host/conformance/groups.h"

namespace pons::conformance {

using nlohmann::json;

namespace {

constexpr std::string_view kCreate = "create_";
constexpr const char* kNoResource = "no-such-resource";
constexpr std::size_t kLongestId = 256;

bool lists(const Inspector& inspector, const std::string& command) {
  const auto names = command_names(inspector.info(), false);
  return std::find(names.begin(), names.end(), command) != names.end();
}

struct Created {
  std::string type;
  std::string id;
};

/// Throws NoReply (not tested) if there is no type that can be created so.
Created create(Inspector& inspector) {
  std::string why = "it lists no create_ command";
  for (const auto& name : command_names(inspector.info(), false)) {
    if (!name.starts_with(kCreate)) continue;
    const auto reply = inspector.ask({.command = name});
    if (reply["success"] != true) {
      why = name + " needs args: " + outcome_of(reply);
      continue;
    }
    const auto result = reply.value("result", json());
    const auto id = result.is_object() ? result.value("resource_id", json()) : json();
    if (!id.is_string() || id.get_ref<const std::string&>().empty() || id.get_ref<const std::string&>().size() > kLongestId) {
      throw NoReply{failed("the result of " + name + " has no resource_id of 1 to 256 bytes: " + shown(result))};
    }
    return {name.substr(kCreate.size()), id};
  }
  throw NoReply{not_tested(why)};
}

/// Whether list_<type>s knows it; nothing if there is no such command.
std::optional<bool> listed(Inspector& inspector, const Created& created) {
  const auto key = created.type + "s";
  if (!lists(inspector, "list_" + key)) return std::nullopt;
  const auto result = inspector.ask_result({.command = "list_" + key});
  if (!result.is_object() || !result.contains(key) || !result[key].is_array()) {
    throw NoReply{failed("the result of list_" + key + " has no list " + key + ": " + shown(result))};
  }
  return result[key].dump(-1, ' ', false, json::error_handler_t::replace).find(json(created.id).dump()) != std::string::npos;
}

Wrong wrong_not_found(const Inspector& inspector, const json& reply) {
  if (reply["success"] == true) return "it succeeded: " + shown(reply.value("result", json()));
  if (inspector.level() == 0 && !reply.contains("code")) return std::nullopt;
  if (reply.value("code", json()) != "resource_not_found") return outcome_of(reply);
  return std::nullopt;
}

Finding cycle(Inspector& inspector) {
  const auto created = create(inspector);
  if (listed(inspector, created) == false) return failed("list_" + created.type + "s does not list " + created.id);
  if (!lists(inspector, "delete_resource")) return failed("it lists create_" + created.type + ", and no delete_resource");
  const json which{{"resource_id", created.id}};
  inspector.ask_result({.command = "delete_resource", .args = which});
  if (auto wrong = wrong_not_found(inspector, inspector.ask({.command = "delete_resource", .args = which}))) {
    return failed("deleted twice, " + *wrong);
  }
  if (listed(inspector, created) == true) return failed("list_" + created.type + "s lists it after delete_resource");
  return passed(created.type);
}

Finding cleanup(Inspector& inspector) {
  const auto created = create(inspector);
  const auto cleaned = inspector.ask_result({.command = "cleanup"});
  if (auto wrong = wrong_cleanup(cleaned)) return failed(*wrong);
  if (cleaned["resources_removed"] < 1) return failed("resources_removed is " + shown(cleaned["resources_removed"]));
  if (listed(inspector, created) == true) return failed("list_" + created.type + "s lists it after cleanup");
  return passed(created.type);
}

Finding unknown(Inspector& inspector) {
  std::string tried;
  for (const char* command : {"execute_resource", "delete_resource"}) {
    if (!lists(inspector, command)) continue;
    const json args{{"resource_id", kNoResource}, {"inputs", json::object()}};
    if (auto wrong = wrong_not_found(inspector, inspector.ask({.command = command, .args = args}))) {
      return failed(std::string(command) + ": " + *wrong);
    }
    tried += (tried.empty() ? "" : ", ") + std::string(command);
  }
  return tried.empty() ? not_tested("it lists neither execute_resource nor delete_resource") : passed(tried);
}

}  // namespace

void check_resources(Inspector& inspector) {
  inspector.rule("resource.unknown", [&] { return unknown(inspector); });
  inspector.rule("resource.cycle", [&] { return cycle(inspector); });
  inspector.rule("resource.cleanup", [&] { return cleanup(inspector); });
}

}  // namespace pons::conformance
