#include "host/cli/progress_line.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "host/cli/json_text.h"

namespace pons::cli {

namespace {

constexpr std::size_t kWidth = 78;

std::optional<double> number_in(const nlohmann::json& progress, const char* name) {
  const auto found = progress.find(name);
  if (found == progress.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

}  // namespace

std::string progress_text(const nlohmann::json& progress) {
  if (!progress.is_object()) return {};
  const auto done = number_in(progress, "done");
  const auto total = number_in(progress, "total");
  std::array<char, 96> text{};
  if (done && total && *total > 0) {
    std::snprintf(text.data(), text.size(), "%.0f%% (%g of %g)", std::clamp(*done / *total, 0.0, 1.0) * 100, *done, *total);
  } else if (done) {
    std::snprintf(text.data(), text.size(), "%g", *done);
  }
  std::string line = text.data();
  const auto message = progress.find("message");
  if (message != progress.end() && message->is_string()) line += (line.empty() ? "" : " ") + message->get<std::string>();
  line = harmless(line);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

void ProgressLine::show(const nlohmann::json& progress) {
  if (!err_.terminal()) return;
  auto line = progress_text(progress);
  while (width_of(line) > kWidth) line.pop_back();
  err_.write("\r\x1b[K" + line);
  shown_ = true;
}

void ProgressLine::clear() {
  if (shown_) err_.write("\r\x1b[K");
  shown_ = false;
}

}  // namespace pons::cli
