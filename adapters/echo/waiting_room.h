// `wait`, the command of the echo adapter that does not keep others waiting: a loop of its own, in which requests are held.
#pragma once

#include <vector>

#include "worker/worker.h"

namespace pons::echo {

class WaitingRoom {
 public:
  /// Declares `wait`, and the option `concurrency`: how many are held at once, 1 unless set.
  void declare(Worker& worker);
  /// Serves until the worker has ended.
  void serve(Worker& worker);

 private:
  struct Guest {
    Request request;
    Worker::TimePoint leaves;
  };
  void admit(Request request);
  void see_off();
  [[nodiscard]] Worker::TimePoint next_leaves() const;

  std::vector<Guest> guests_;
};

}  // namespace pons::echo
