#include "tests/client/fake_host.h"

#include <sys/socket.h>

#include <array>
#include <utility>

#include "protocol/document.h"

namespace pons::test {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxFrame = 1u << 20;

}  // namespace

FakeHost::FakeHost(asio::io_context& io, OnRequest on_request) : on_request_(std::move(on_request)) {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) != 0) throw std::runtime_error("socketpair");
  client_end_.reset(fds[0]);
  FrameStream::Options options;
  options.max_frame = kMaxFrame;
  stream_ = FrameStream::create(io.get_executor(), UniqueFd(fds[1]), UniqueFd{}, options);
  stream_->start(*this);
}

FakeHost::~FakeHost() { stream_->close(); }

void FakeHost::on_frame(Frame frame) {
  codec = frame.body.front() == '{' ? Codec::json : Codec::msgpack;
  requests.push_back(decode(codec, frame.body).value());
  const auto request = requests.back();
  on_request_(*this, request);
}

void FakeHost::on_oversized(std::uint64_t length) {
  reply({{"id", 0},
         {"success", false},
         {"error", "The frame is too large."},
         {"code", "frame_too_large"},
         {"details", {{"length", length}, {"max_frame", kMaxFrame}}}});
}

void FakeHost::reply(const json& body) { send_raw(encode_or_throw(codec, body)); }
void FakeHost::send_raw(std::string body) { stream_->send(OutFrame::of(std::move(body))); }

void FakeHost::succeed(const json& request, const json& result) {
  reply({{"id", request.at("id")}, {"success", true}, {"result", result}});
}

void FakeHost::fail(const json& request, const std::string& code, const std::string& message, const json& details) {
  json body{{"id", request.at("id")}, {"success", false}, {"error", message}, {"retryable", true}};
  if (!code.empty()) body["code"] = code;
  if (!details.is_null()) body["details"] = details;
  reply(body);
}

}  // namespace pons::test
