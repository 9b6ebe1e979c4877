#include "host/units.h"

#include <gtest/gtest.h>

#include <utility>

namespace pons {
namespace {

using std::chrono::milliseconds;

TEST(Units, Durations) {
  const std::pair<const char*, std::int64_t> good[] = {{"0", 0},
                                                       {"0s", 0},
                                                       {"0ms", 0},
                                                       {"250ms", 250},
                                                       {"30s", 30'000},
                                                       {"10m", 600'000},
                                                       {"2h", 7'200'000},
                                                       {"1.5s", 1'500},
                                                       {"1 s", 1'000},
                                                       {"0.5h", 1'800'000},
                                                       {"0.1ms", 1},
                                                       {"0.0001s", 1},
                                                       {"1.0004s", 1'000},
                                                       {"1.0005s", 1'001},
                                                       {"007s", 7'000},
                                                       {"0.25m", 15'000},
                                                       {"876000h", 3'153'600'000'000}};
  for (const auto& [text, millis] : good) {
    const auto value = parse_duration(text);
    ASSERT_TRUE(value) << text << ": " << value.error().message;
    EXPECT_EQ(value->count(), millis) << text;
  }
  for (const char* text : {"",
                           "30",
                           "s",
                           "-1s",
                           "+1s",
                           "1.s",
                           ".5s",
                           "1e3s",
                           "1  s",
                           " 1s",
                           "1s ",
                           "1S",
                           "1d",
                           "1M",
                           "5 sec",
                           "1h30m",
                           "0x10s",
                           "1,5s",
                           "nan",
                           "876001h",
                           "99999999999999999999s",
                           "18446744073709551616ms",
                           "1.5.5s",
                           "٣s"}) {
    const auto value = parse_duration(text);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::invalid_args);
    EXPECT_TRUE(value.error().message.starts_with("expected a time such as 250ms, 30s, 10m or 2h, got ")) << value.error().message;
  }
  EXPECT_TRUE(parse_duration("30").error().message.ends_with("got \"30\" without a unit"));
  EXPECT_TRUE(parse_duration("876001h").error().message.ends_with("which is too much"));
}

TEST(Units, Sizes) {
  const std::pair<const char*, std::uint64_t> good[] = {{"0", 0},
                                                        {"0B", 0},
                                                        {"0MiB", 0},
                                                        {"1B", 1},
                                                        {"512KiB", 524'288},
                                                        {"2GB", 2'000'000'000},
                                                        {"64MiB", 67'108'864},
                                                        {"1TiB", 1ULL << 40},
                                                        {"1TB", 1'000'000'000'000},
                                                        {"1.5KiB", 1'536},
                                                        {"1 KB", 1'000},
                                                        {"3kib", 3'072},
                                                        {"3mb", 3'000'000},
                                                        {"0.001B", 1},
                                                        {"9223372036854775807B", 9'223'372'036'854'775'807ULL},
                                                        {"8388607TiB", 8'388'607ULL << 40}};
  for (const auto& [text, bytes] : good) {
    const auto value = parse_size(text);
    ASSERT_TRUE(value) << text << ": " << value.error().message;
    EXPECT_EQ(*value, bytes) << text;
  }
  for (const char* text :
       {"", "512", "KiB", "-1B", "1K", "1KiBs", "1e3B", "1.B", "9223372036854775808B", "8388608TiB", "99999999TB", "1 M B"}) {
    ASSERT_FALSE(parse_size(text)) << text;
  }
}

TEST(Units, FormatsAreShortAndExact) {
  const std::pair<std::int64_t, const char*> times[] = {{0, "0s"},       {1, "1ms"},        {250, "250ms"},
                                                        {1'000, "1s"},   {1'500, "1500ms"}, {60'000, "1m"},
                                                        {90'000, "90s"}, {3'600'000, "1h"}, {86'400'000, "24h"}};
  for (const auto& [millis, text] : times) {
    EXPECT_EQ(format_duration(milliseconds(millis)), text);
    EXPECT_EQ(parse_duration(text)->count(), millis);
  }
  const std::pair<std::uint64_t, const char*> sizes[] = {
      {0, "0B"},         {1, "1B"},          {1'000, "1KB"},         {1'024, "1KiB"},      {1'536, "1536B"},
      {65'536, "64KiB"}, {2'000'000, "2MB"}, {1'024'000, "1000KiB"}, {1ULL << 30, "1GiB"}, {1'000'000'000'000, "1TB"}};
  for (const auto& [bytes, text] : sizes) {
    EXPECT_EQ(format_size(bytes), text);
    EXPECT_EQ(*parse_size(text), bytes);
  }
}

}  // namespace
}  // namespace pons
