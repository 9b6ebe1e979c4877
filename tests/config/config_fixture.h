// A folder of files that lives as long as a test, and a context that knows nothing of the machine.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/config.h"

namespace pons {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string name = testing::TempDir() + "pons-config-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = std::filesystem::canonical(name);
    context_.current_dir = root_;
    context_.env = [this](const std::string& variable) -> std::optional<std::string> {
      const auto found = env_.find(variable);
      return found == env_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  ~ConfigTest() override { std::filesystem::remove_all(root_); }

  /// Writes a file below the root, with its folders; `program` makes it executable.
  std::string write(const std::string& path, std::string_view text, bool program = false) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    if (program) std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file.string();
  }

  Config parse(std::string_view text, const std::string& file = "pons.yaml") { return parse_config(text, file, context_); }

  /// What is wrong with a configuration, a line an issue; empty if nothing is.
  std::vector<std::string> issues(std::string_view text, const std::string& file = "pons.yaml") {
    return issues_of([&] { parse(text, file); });
  }
  template <class Call>
  static std::vector<std::string> issues_of(Call call) {
    try {
      call();
    } catch (const ConfigError& e) {
      std::vector<std::string> out;
      for (const ConfigIssue& issue : e.issues()) out.push_back(issue.to_string());
      return out;
    }
    return {};
  }

  std::filesystem::path root_;
  std::map<std::string, std::string> env_;
  ConfigContext context_;
};

}  // namespace pons
