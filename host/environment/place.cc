#include "host/environment/place.h"

#include <array>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace pons {
namespace {

// FNV-1a. Adapters of one name in different folders only have to be told apart.
std::string hash_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::array<char, 16> digits{};
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), hash, 16).ptr};
}

// However it was named.
std::filesystem::path real_path(const std::filesystem::path& path) {
  std::error_code failed;
  const auto out = std::filesystem::weakly_canonical(path, failed);
  return failed ? path : out;
}

}  // namespace

EnvironmentPlace::EnvironmentPlace(const std::string& adapter, const std::filesystem::path& adapter_folder, const EnvLookup& env)
    : folder_(std::filesystem::path(default_state_dir(".environments", env)) /
              (adapter + "-" + hash_of(real_path(adapter_folder).string()))) {}

}  // namespace pons
