// What the command line asks for, checked as far as that can be done without looking at anything else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/codec.h"

namespace pons::cli {

enum class Verb : std::uint8_t {
  serve,
  call,
  ping,
  info,
  stats,
  cleanup,
  list,
  workers,
  sessions,
  end_session,
  start,
  stop,  ///< of an adapter if one is named, else of the host
  restart,
  drain,
  scale,
  enroll,  ///< `register`
  update,
  reload,
  check,
  adapter_check,
  doctor,
  adapter_install,
  adapter_list,
  adapter_info,
  adapter_new
};

/// Which host a command talks to.
struct HostChoice {
  std::optional<std::string> socket{};
  std::optional<std::string> name{};
  std::optional<std::string> config{};
  std::optional<std::string> adapter_path{};  ///< only an embedded host with that adapter
  bool no_embedded = false;
};

struct Options {
  Verb verb = Verb::list;
  HostChoice host{};
  bool json = false;
  bool stdio = false;                    ///< of serve
  std::string command{};                 ///< of call
  std::string adapter{};                 ///< the one named; empty: none
  std::vector<std::string> arguments{};  ///< of call and update, as given
  std::size_t size = 0;                  ///< of scale
  std::string file{};                    ///< of register
  std::string target{};                  ///< of the adapter commands: a name or a path
  bool upgrade = false;                  ///< of adapter install, as the next two
  bool models = false;
  bool remove = false;
  bool show_commands = false;       ///< of adapter info
  std::string language = "python";  ///< of adapter new, as the next
  std::string folder{};
  std::string slow{};               ///< of adapter check: a command that takes long; empty: none
  std::vector<std::string> meta{};  ///< as given
  std::optional<std::string> session_id{};
  std::optional<std::string> resource_id{};
  std::optional<std::chrono::milliseconds> timeout{};
  std::optional<std::chrono::milliseconds> wait{};  ///< of ping
  bool stream = false;
  bool idempotent = false;
  Codec codec = Codec::json;
};

}  // namespace pons::cli
