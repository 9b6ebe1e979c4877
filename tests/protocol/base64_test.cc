#include "protocol/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace pons {
namespace {

TEST(Base64, RoundTripsEveryLengthAndRefusesTheRest) {
  const std::vector<std::pair<std::string, std::string>> vectors{
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : vectors) {
    const std::vector<std::uint8_t> bytes(plain.begin(), plain.end());
    EXPECT_EQ(base64_encode(bytes), text);
    EXPECT_EQ(base64_decode(text), bytes);
  }
  for (const auto* bad : {"Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=Zm9v", "Zm 9", "Zg==Zg==", "Zm9\n"})
    EXPECT_FALSE(base64_decode(bad)) << bad;
}

}  // namespace
}  // namespace pons
