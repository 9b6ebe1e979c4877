// What is done to a host and its workers while clients work.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/chaos/arena.h"

namespace pons::chaos {

/// Kills so many workers, whatever they do, after up to `pace` replies each. False if the load is not answered any more.
bool kill_workers(Arena& arena, Load& load, Random& random, int count, std::size_t pace);

/// Stops one to three workers, whatever they do, and waits until the host has got rid of them. Returns how many; nothing if one is still
/// there in the end.
std::optional<int> stop_workers(Arena& arena, Random& random);

/// Clients that connect and send a part of a frame, of one byte at least.
class HalfFrames {
 public:
  HalfFrames(Arena& arena, Random& random, int count);
  /// About half of them send the rest, and wait for their reply. What they noted.
  ClientLog complete_some(Random& random);

 private:
  struct Half {
    test::RawClient client;
    std::string rest;
  };
  std::vector<Half> halves_;
  std::string name_;
};

/// A client that sends small requests to one pool and does not read.
class Flood {
 public:
  Flood(Arena& arena, const std::string& pool, int requests);
  /// Sends until all is sent, or `others` returns false; returns whether all was sent. Throws if the host closes the connection.
  bool send_while(const std::function<bool()>& others);
  /// Sends the rest and reads at last: how often it was told what. Throws unless every request has exactly one reply.
  std::map<std::string, int> finish();

 private:
  test::RawClient client_;
  int requests_;
  std::string bytes_;
  std::size_t sent_ = 0;
};

}  // namespace pons::chaos
