// One end of a socket pair that answers requests as a test says, on the test's own loop.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "protocol/codec.h"
#include "protocol/transport/frame_stream.h"

namespace pons::test {

class FakeHost final : private FrameStream::Handler {
 public:
  /// Called for every request.
  using OnRequest = std::function<void(FakeHost& host, const nlohmann::json& request)>;

  explicit FakeHost(asio::io_context& io, OnRequest on_request);
  ~FakeHost();
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;

  /// The client's end, once.
  UniqueFd client_end() { return std::move(client_end_); }

  /// In the codec of the last request.
  void reply(const nlohmann::json& body);
  void succeed(const nlohmann::json& request, const nlohmann::json& result);
  void fail(const nlohmann::json& request, const std::string& code, const std::string& message, const nlohmann::json& details = nullptr);
  void send_raw(std::string body);
  void hang_up() { stream_->close(); }

  std::vector<nlohmann::json> requests;  ///< all of them, in order
  Codec codec = Codec::json;             ///< of the last one

 private:
  void on_frame(Frame frame) override;
  void on_oversized(std::uint64_t length) override;
  void on_end(FrameStream::End /*end*/, std::string /*text*/) override {}

  OnRequest on_request_;
  UniqueFd client_end_;
  std::shared_ptr<FrameStream> stream_;
};

}  // namespace pons::test
