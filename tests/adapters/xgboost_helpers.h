// What the tests of the XGBoost adapter share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "adapters/xgboost/commands.h"
#include "protocol/error.h"

namespace pons::xgb {

using nlohmann::json;

/// The error that `function` throws; fails the test if there is none.
template <class F>
Error error_of(F&& function) {
  try {
    function();
  } catch (const Exception& exception) {
    return exception.error();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

/// The path of the first of an error's complaints.
inline std::string path_of(const Error& error) { return error.details.at("errors").at(0).at("path"); }

/// A folder that is gone after the test.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "pons-xgboost-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
  }
  ~TempFolder() { std::filesystem::remove_all(folder_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  /// Writes a file and returns its path.
  [[nodiscard]] std::string file(std::string_view name, std::string_view text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path folder_;
};

inline Environment environment() { return {Catalogue(PONS_XGBOOST_DATA), 1}; }

inline Model create(const json& args) { return create_model(args, environment()); }

}  // namespace pons::xgb
