#include "pool/process_sampler.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <functional>

#include "pool/pool.h"
#include "tests/pool/fake_cgroup_files.h"
#include "tests/pool/process_fixture.h"

namespace pons {
namespace {

TEST(ProcessSamplerTest, ReadsOnceForAllWhoAskInAnInterval) {
  int reads = 0;
  ProcessSampler sampler([&] {
    ++reads;
    ProcessTable table;
    table.add({.pid = 7, .state = 'S', .group = 7, .resident_pages = static_cast<std::size_t>(reads)});
    return table;
  });
  auto now = TimePoint(std::chrono::hours(1));
  const auto first = sampler.look(now).resident_bytes(7);
  EXPECT_GT(first, 0u);
  EXPECT_EQ(sampler.next(), now + Millis(1'000));
  now += Millis(999);
  EXPECT_EQ(sampler.look(now).resident_bytes(7), first);
  EXPECT_EQ(reads, 1);
  now += Millis(1);
  EXPECT_EQ(sampler.look(now).resident_bytes(7), 2 * first);
  EXPECT_EQ(sampler.look(now).resident_bytes(7), 2 * first);
  EXPECT_EQ(reads, 2);
}

class NoObserver final : public PoolObserver {
  void worker_started(const std::string&, const WorkerProcess&) override {}
  void worker_ready(const std::string&, const WorkerProcess&) override {}
  void worker_exited(const std::string&, const WorkerProcess&, const WorkerProcess::Exit&, const std::string&) override {}
  void worker_recycled(const std::string&, const WorkerProcess&, std::string_view) override {}
  void request_retried(const std::string&, int, const std::string&) override {}
  void worker_line(const std::string&, const WorkerProcess&, std::string_view, const std::string&, bool) override {}
  void warning(const std::string&, const std::string&) override {}
  void pool_state(const std::string&, PoolState, const std::string&) override {}
  void session(const std::string&, std::string_view, const std::string&, const std::string&) override {}
};

class PoolMemory : public testing::Test {
 protected:
  /// A pool with its own sampler, whose worker never gets ready.
  struct Sampled {
    Sampled(PoolMemory& test, CgroupTree* cgroups, std::size_t max_memory)
        : sampler([this] { return ++looks, ProcessTable(); }),
          pool(test.io.get_executor(), options(max_memory), "", test.launcher, sampler, test.observer, {}) {
      if (cgroups != nullptr) pool.use_cgroups(*cgroups);
      pool.open([](const Result<void>&) {});
    }
    static PoolOptions options(std::size_t max_memory) {
      PoolOptions options;
      options.adapter = "a";
      options.launch.command = {PONS_POOL_PROBE, "wait"};
      options.limits.memory = 1u << 30;
      options.recycle.max_memory = max_memory;
      options.timeouts.stop = Millis(10);
      return options;
    }
    int looks = 0;
    ProcessSampler sampler;
    Pool pool;
  };
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = Clock::now() + std::chrono::seconds(10);
    while (!done() && Clock::now() < deadline) io.run_one_until(deadline);
    return done();
  }

  boost::asio::io_context io;
  PosixLauncher launcher;
  NoObserver observer;
};

TEST_F(PoolMemory, IsNotLookedAtWhereACgroupHoldsTheLimit) {
  FakeCgroupFiles files;
  files.host_in("/svc", {"cpu", "memory", "pids"});
  const auto tree = CgroupTree::prepare("0123456789abcdef", files);
  Sampled held(*this, tree.get(), 0);
  Sampled recycled(*this, tree.get(), 1u << 20);
  Sampled free(*this, nullptr, 0);
  EXPECT_TRUE(run_until([&] { return recycled.looks > 0 && free.looks > 0; }));
  EXPECT_EQ(held.looks, 0);
  int stopped = 0;
  for (auto* each : {&held, &recycled, &free}) each->pool.stop([&] { ++stopped; });
  EXPECT_TRUE(run_until([&] { return stopped == 3; }));
}

}  // namespace
}  // namespace pons
