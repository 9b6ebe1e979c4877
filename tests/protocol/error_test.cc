#include "protocol/error.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace pons {
namespace {

// docs/protocol.md, section 7, written down a second time.
const std::map<std::string, Retry> kSection7{
    {"bad_frame", Retry::no},
    {"bad_request", Retry::no},
    {"frame_too_large", Retry::no},
    {"invalid_args", Retry::no},
    {"unsupported_codec", Retry::no},
    {"unknown_namespace", Retry::no},
    {"unknown_command", Retry::no},
    {"resource_not_found", Retry::no},
    {"unauthenticated", Retry::no},
    {"forbidden", Retry::no},
    {"rate_limited", Retry::yes},
    {"overloaded", Retry::yes},
    {"queue_timeout", Retry::yes},
    {"deadline_exceeded", Retry::if_idempotent},
    {"cancelled", Retry::no},
    {"worker_start_failed", Retry::yes},
    {"pool_failed", Retry::yes},
    {"circuit_open", Retry::yes},
    {"worker_crashed", Retry::if_idempotent},
    {"session_lost", Retry::no},
    {"session_limit", Retry::yes},
    {"call_cycle", Retry::no},
    {"shutting_down", Retry::yes},
    {"invalid_configuration", Retry::per_adapter},
    {"model_error", Retry::per_adapter},
    {"rate_limit", Retry::per_adapter},
    {"worker_error", Retry::per_adapter},
    {"internal", Retry::no},
};

TEST(ErrorTable, SaysWhatTheProtocolSays) {
  for (const auto& [name, retry] : kSection7) {
    const auto code = error_code_from(name);
    ASSERT_TRUE(code) << name;
    EXPECT_EQ(to_string(*code), name);
    EXPECT_EQ(retry_of(*code), retry) << name;
  }
  EXPECT_EQ(kSection7.size(), static_cast<std::size_t>(ErrorCode::internal) + 1);
}

TEST(ErrorTable, AnotherNameIsNoCode) {
  EXPECT_FALSE(error_code_from("out_of_memory"));
  EXPECT_FALSE(error_code_from(""));
}

TEST(Error, MayRetryFollowsTheTable) {
  EXPECT_FALSE((Error{ErrorCode::bad_request, ""}.may_retry(true)));
  EXPECT_TRUE((Error{ErrorCode::overloaded, ""}.may_retry(false)));
  EXPECT_TRUE((Error{ErrorCode::worker_crashed, ""}.may_retry(true)));
  EXPECT_FALSE((Error{ErrorCode::worker_crashed, ""}.may_retry(false)));
  EXPECT_FALSE((Error{ErrorCode::worker_error, ""}.may_retry(true)));
}

TEST(Error, AnExplicitAnswerBeatsTheTable) {
  EXPECT_TRUE((Error{ErrorCode::rate_limit, "", nullptr, true}.may_retry(false)));
  EXPECT_FALSE((Error{ErrorCode::overloaded, "", nullptr, false}.may_retry(true)));
}

TEST(ErrorResult, ValueThrowsTheExceptionForm) {
  const Result<int> failed = Error{ErrorCode::cancelled, "Gone."};
  try {
    (void)failed.value();
    FAIL();
  } catch (const Exception& exception) {
    EXPECT_EQ(exception.error().code, ErrorCode::cancelled);
    EXPECT_STREQ(exception.what(), "Gone.");
  }
}

}  // namespace
}  // namespace pons
