// The commands of a worker by name.
#pragma once

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "worker/worker.h"

namespace pons {

struct Command {
  CommandOptions options;
  Worker::CommandHandler handler;  ///< one of the two, or neither: then Worker::poll() hands the request out
  Worker::RawHandler raw;
  bool common = false;  ///< every worker has it: not named in get_info
  /// How long it took lately. While it runs, replies that were gathered before it would wait: they do only if this is short.
  std::chrono::steady_clock::duration recent = std::chrono::steady_clock::duration::max();

  [[nodiscard]] bool is_polled() const { return !handler && !raw; }
};

class CommandTable {
 public:
  /// Throws std::invalid_argument if the name is malformed or taken.
  void add(std::string name, Command command);
  /// Throws std::invalid_argument for a name that the adapter may not use: the common ones and what begins with `common:`.
  void add_by_adapter(std::string name, Command command);
  [[nodiscard]] bool has(std::string_view name) const { return commands_.find(name) != commands_.end(); }

  /// The command that a request means, or nullptr. `own` are the names under which this worker may be addressed.
  Command* look_up(std::string_view text, std::initializer_list<std::string_view> own);
  /// The same, but throws Exception (unknown_namespace, unknown_command).
  Command& find(std::string_view text, std::initializer_list<std::string_view> own);
  /// The name of a command that poll() hands out, if there is one.
  [[nodiscard]] std::string_view any_polled() const;

  /// For get_info: `[{name, description, idempotent, args_schema?}]`.
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] auto begin() const { return commands_.begin(); }
  [[nodiscard]] auto end() const { return commands_.end(); }

 private:
  std::map<std::string, Command, std::less<>> commands_;
};

}  // namespace pons
