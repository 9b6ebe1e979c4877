// What a worker that hangs writes about its stacks, on a pipe of its own (PONS_DUMP_FD). Somebody else sends the signal that makes it
// write; this takes what arrives until kSilence of silence, kLongest in all, at most kMost bytes.
//
// Object lifetimes: owned by the worker's process. Thread safety: none; the loop's thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/transport/task.h"
#include "protocol/transport/unique_fd.h"

namespace pons {

class StackDump {
 public:
  static constexpr std::chrono::milliseconds kSilence{50};
  static constexpr std::chrono::milliseconds kLongest{200};
  static constexpr std::size_t kMost = 256u << 10;
  using Callback = std::function<void(const std::string& text)>;

  StackDump(Executor executor, UniqueFd pipe);
  ~StackDump();
  StackDump(const StackDump&) = delete;
  StackDump& operator=(const StackDump&) = delete;

  /// Called back once with what was written, perhaps nothing. True: nobody was asking already, so the signal is to be sent now.
  bool ask(Callback callback);
  /// Calls back at once: the process is gone.
  void finish();

 private:
  struct Reader;
  std::shared_ptr<Reader> reader_;
};

}  // namespace pons
