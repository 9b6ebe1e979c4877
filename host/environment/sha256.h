// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pons {

class Sha256 {
 public:
  void add(std::string_view bytes);
  /// In hexadecimal digits; nothing may be added after it.
  std::string finish();

 private:
  void add_block(const unsigned char* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> rest_{};
  std::size_t held_ = 0;
  std::uint64_t bytes_ = 0;
};

/// Of a file's content; nothing if it cannot be read.
std::optional<std::string> sha256_of_file(const std::filesystem::path& file);

}  // namespace pons
