// g++ 12 destroys aggregate temporaries twice inside a co_await expression: arguments get a name first. This shows that the way in
// which this project writes it is safe, under AddressSanitizer above all.
#include "protocol/transport/task.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <string>

namespace pons {
namespace {

struct Arguments {
  std::shared_ptr<std::string> text;
  int number = 0;
};

Task<int> take(Arguments arguments) {
  co_await asio::post(asio::use_awaitable_t<Executor>{});
  co_return arguments.number + static_cast<int>(arguments.text->size());
}

Task<void> run(std::shared_ptr<std::string> text, int& result) {
  Arguments arguments{text, 1};
  result = co_await take(std::move(arguments));
  const auto add = [text](int more) { return static_cast<int>(text->size()) + more; };
  Arguments others{text, add(2)};
  result += co_await take(std::move(others));
}

TEST(Task, NamedArgumentsAreDestroyedOnce) {
  asio::io_context io{1};
  auto text = std::make_shared<std::string>("four");
  int result = 0;
  asio::co_spawn(io.get_executor(), run(text, result), asio::detached);
  io.run();
  EXPECT_EQ(result, (1 + 4) + (4 + 2 + 4));
  EXPECT_EQ(text.use_count(), 1);
}

TEST(Task, ATimerIsAwaitedWithoutExceptions) {
  asio::io_context io{1};
  error_code seen;
  Timer timer(io.get_executor());
  const auto wait = [&]() -> Task<void> {
    timer.expires_at(TimePoint::max());
    const auto [ec] = co_await timer.async_wait(use_task);
    seen = ec;
  };
  asio::co_spawn(io.get_executor(), wait(), asio::detached);
  asio::post(io, [&] { timer.cancel(); });
  io.run();
  EXPECT_EQ(seen, asio::error::operation_aborted);
}

}  // namespace
}  // namespace pons
