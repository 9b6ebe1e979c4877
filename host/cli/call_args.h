// The ARGS of `pons call`: a JSON object, @file, -, or pairs, as docs/cli.md says.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "protocol/codec.h"
#include "protocol/error.h"

namespace pons::cli {

/// Where the contents come from that the arguments only name. Errors are sentences for the user.
struct ArgSources {
  std::function<Result<std::string>(const std::string& path)> read_file;
  std::function<Result<std::string>()> read_stdin;
};

/// The `args` of a request: always an object; of one key the last counts. invalid_args with a message that names the argument.
/// With msgpack, {"$bin": base64} becomes bin, and key=@file too if the file is no UTF-8.
Result<nlohmann::json> parse_call_args(const std::vector<std::string>& arguments, Codec codec, const ArgSources& sources);

/// Lines for the user, where `code` may come of a text in place of another value: how those `arguments` that look like one are written.
std::string notes_on_texts(const std::vector<std::string>& arguments, ErrorCode code);

/// The `meta` of a request out of key=text pairs; null for none.
Result<nlohmann::json> parse_meta(const std::vector<std::string>& pairs);

/// Reads a descriptor to its end.
Result<std::string> read_all(int fd, const std::string& name);
Result<std::string> read_file(const std::string& path);

}  // namespace pons::cli
