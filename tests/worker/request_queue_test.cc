#include "worker/request_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/worker/random_runs.h"

namespace pons::test {
namespace {

IncomingPtr request(std::uint64_t id) {
  Envelope envelope;
  envelope.id = id;
  return std::make_shared<Incoming>(Frame::of("{}"), std::move(envelope), SteadyTime::max());
}

std::uint64_t id_of(const Incoming& one) { return std::get<std::uint64_t>(one.envelope.id); }

TEST(RequestQueue, IdZeroIsNeverFound) {
  RequestQueue queue;
  queue.push(request(0));
  EXPECT_EQ(queue.cancel(RequestId{std::uint64_t{0}}).not_begun, nullptr);
  EXPECT_EQ(queue.waiting(), 1u);
}

/// The same as plainly as can be: ids in order.
struct Turns {
  std::vector<std::uint64_t> waiting;
  std::vector<std::uint64_t> begun;

  static bool erase(std::vector<std::uint64_t>& ids, std::uint64_t id) { return std::erase(ids, id) > 0; }
};

TEST(RequestQueue, KeepsEveryRequestInItsPlaceWhateverHappens) {
  for_random_runs([](Random& random) {
    RequestQueue queue;
    Turns model;
    std::vector<IncomingPtr> begun;
    std::uint64_t next_id = 1;
    for (int step = 0; step < 60 && !testing::Test::HasFailure(); ++step) {
      switch (random() % 4) {
        case 0:
          queue.push(request(next_id));
          model.waiting.push_back(next_id++);
          break;
        case 1: {
          if (model.waiting.empty()) break;
          ASSERT_EQ(id_of(*queue.front()), model.waiting.front());
          begun.push_back(queue.begin_front());
          ASSERT_EQ(id_of(*begun.back()), model.waiting.front());
          model.begun.push_back(model.waiting.front());
          model.waiting.erase(model.waiting.begin());
          break;
        }
        case 2: {
          if (begun.empty()) break;
          const auto at = begun.begin() + static_cast<std::ptrdiff_t>(random() % begun.size());
          queue.finish(**at);
          queue.finish(**at);  // is ignored
          Turns::erase(model.begun, id_of(**at));
          begun.erase(at);
          break;
        }
        default: {
          const std::uint64_t id = random() % (next_id + 1);
          const auto cancelled = queue.cancel(RequestId{id});
          ASSERT_EQ(cancelled.not_begun != nullptr, Turns::erase(model.waiting, id));
          ASSERT_EQ(cancelled.begun != nullptr, std::count(model.begun.begin(), model.begun.end(), id) == 1);
          break;
        }
      }
      ASSERT_EQ(queue.waiting(), model.waiting.size());
      ASSERT_EQ(queue.begun(), model.begun.size());
      ASSERT_EQ(queue.front() == nullptr, model.waiting.empty());
    }
  });
}

}  // namespace
}  // namespace pons::test
