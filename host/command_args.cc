#include "host/command_args.h"

#include "protocol/limits.h"

namespace pons {

Error invalid_arg(const std::string& pointer, const std::string& message, const std::string& expected) {
  Error error{ErrorCode::invalid_args, message};
  error.details = {{"errors", {{{"path", pointer}, {"message", message}, {"expected", expected}}}}};
  return error;
}

const nlohmann::json& value_arg(const nlohmann::json& args, const char* name, const std::string& expected) {
  const auto found = args.find(name);
  if (found != args.end()) return *found;
  throw Exception(invalid_arg(std::string("/") + name, std::string("args.") + name + " is missing", expected));
}

std::string text_arg(const nlohmann::json& args, const char* name) {
  const auto& value = value_arg(args, name, "a string");
  if (value.is_string()) return value.get<std::string>();
  throw Exception(invalid_arg(std::string("/") + name, std::string("args.") + name + " must be a string", "a string"));
}

std::optional<std::string> optional_text_arg(const nlohmann::json& args, const char* name) {
  if (!args.contains(name)) return std::nullopt;
  return text_arg(args, name);
}

RequestId id_arg(const nlohmann::json& args) {
  const std::string expected = "a whole number above 0, or a string";
  const auto& id = value_arg(args, "id", expected);
  if (id.is_number_integer() && id.get<std::int64_t>() > 0) return id.get<std::uint64_t>();
  if (id.is_string()) return id.get<std::string>();
  throw Exception(invalid_arg("/id", "args.id must be the id of a request of this connection: " + expected, expected));
}

std::optional<Millis> timeout_arg(const nlohmann::json& args) {
  const auto found = args.find("timeout_ms");
  if (found == args.end()) return std::nullopt;
  const auto value = found->is_number() ? found->get<double>() : -1;
  if (!(value >= 0)) {  // nor NaN, which MessagePack can say
    throw Exception(invalid_arg("/timeout_ms", "args.timeout_ms must be a number of milliseconds", "a number from 0"));
  }
  return Millis(static_cast<std::int64_t>(std::min(value, kMaxTimeoutMs)));
}

}  // namespace pons
