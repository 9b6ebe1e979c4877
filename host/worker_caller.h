// A worker that asks others while it serves: its requests come in on its own channel, and are answered there.
//
// Object lifetimes: held by the host from the first request of a worker until that worker is gone. Thread safety: none; the loop's thread.
#pragma once

#include <memory>

#include "host/caller.h"
#include "pool/worker_process.h"

namespace pons {

class WorkerCaller final : public Caller {
 public:
  WorkerCaller(const std::shared_ptr<WorkerProcess>& worker, std::size_t stream_limit, Books& books)
      : Caller(stream_limit, books), worker_(worker) {
    worker->watch_writing();
  }

  using Caller::begin;
  using Caller::end_calls_of;
  using Caller::leave;
  using Caller::note_written;
  [[nodiscard]] std::size_t unsent() const override {
    const auto worker = worker_.lock();
    return worker ? worker->channel().unsent() : 0;
  }

 private:
  void write(OutFrame frame) override {
    if (const auto worker = worker_.lock()) worker->channel().send(std::move(frame));
  }
  [[nodiscard]] std::uint64_t given() const override {
    const auto worker = worker_.lock();
    return worker ? worker->channel().given() : 0;
  }

  std::weak_ptr<WorkerProcess> worker_;
};

}  // namespace pons
