// What the host does with each frame: reading the envelope, replacing the id, cutting frames out of a stream. Every figure comes with
// its ratio to references measured in the same run: memcpy of the same bytes, and nlohmann building a document of them.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "protocol/document.h"
#include "protocol/envelope.h"
#include "protocol/frame_decoder.h"
#include "protocol/splice.h"

namespace pons {
namespace {

using nlohmann::json;

enum class Payload { text, numbers, mixed };

json payload(Payload kind, std::size_t bytes) {
  json out;
  switch (kind) {
    case Payload::text:
      return std::string(bytes, 'x');
    case Payload::numbers:
      for (std::size_t i = 0; i < bytes / 9; ++i) out.push_back(static_cast<double>(i % 1000) + 0.125);
      return out;
    case Payload::mixed:
      for (std::size_t i = 0; i < bytes / 48; ++i) out.push_back({{"name", "Grüße " + std::to_string(i)}, {"ok", true}, {"score", 0.5}});
      return out;
  }
  return out;
}

// A request of about `bytes`.
std::string request(Codec codec, Payload kind, std::size_t bytes) {
  json body{{"id", 12345}, {"command", "echo:echo"}, {"args", {{"p", ""}}}, {"timeout_ms", 30000}};
  const std::size_t frame = encode_or_throw(codec, body).size();
  body["args"]["p"] = payload(kind, bytes - std::min(bytes, frame));
  return encode_or_throw(codec, body);
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The shortest time for one call among several tries, in seconds of this process.
template <class Action>
double best_of(Action action) {
  constexpr double kTry = 2e-3;
  std::size_t calls = 1;
  double best = 1e9;
  for (int attempt = 0; attempt < 8;) {
    const double begin = cpu_seconds();
    for (std::size_t i = 0; i < calls; ++i) action();
    const double spent = cpu_seconds() - begin;
    if (spent < kTry) {
      calls *= 2;
      continue;
    }
    best = std::min(best, spent / static_cast<double>(calls));
    ++attempt;
  }
  return best;
}

double memcpy_time(const std::string& body) {
  std::vector<char> copy(body.size());
  return best_of([&] {
    std::memcpy(copy.data(), body.data(), body.size());
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  });
}

double nlohmann_time(Codec codec, const std::string& body) {
  return best_of([&] {
    const json value = codec == Codec::json ? json::parse(body) : json::from_msgpack(body);
    benchmark::DoNotOptimize(&value);
  });
}

template <class Action>
void measure(benchmark::State& state, Codec codec, const std::string& body, Action action) {
  for (auto _ : state) action();
  const double ours = best_of(action);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(body.size()));
  state.counters["bytes"] = static_cast<double>(body.size());
  state.counters["x_memcpy"] = ours / memcpy_time(body);
  state.counters["x_nlohmann"] = ours / nlohmann_time(codec, body);
}

void parse_request(benchmark::State& state, Codec codec, Payload kind) {
  const std::string body = request(codec, kind, static_cast<std::size_t>(state.range(0)));
  measure(state, codec, body, [&] {
    auto parsed = Envelope::parse_request(body);
    benchmark::DoNotOptimize(&parsed);
  });
}

void parse_reply(benchmark::State& state, Codec codec, Payload kind) {
  json reply{{"id", 12345}, {"success", true}, {"result", payload(kind, static_cast<std::size_t>(state.range(0)))}};
  const std::string body = encode_or_throw(codec, reply);
  measure(state, codec, body, [&] {
    auto parsed = Envelope::parse_reply(body, false);
    benchmark::DoNotOptimize(&parsed);
  });
}

void decode_document(benchmark::State& state, Codec codec, Payload kind) {
  const std::string body = request(codec, kind, static_cast<std::size_t>(state.range(0)));
  measure(state, codec, body, [&] {
    auto document = decode(codec, body);
    benchmark::DoNotOptimize(&document);
  });
}

void encode_document(benchmark::State& state, Codec codec, Payload kind) {
  const std::string body = request(codec, kind, static_cast<std::size_t>(state.range(0)));
  const json document = decode(codec, body).value();
  measure(state, codec, body, [&] {
    std::string out;
    benchmark::DoNotOptimize(encode(codec, document, out));
  });
}

void splice(benchmark::State& state, Codec codec) {
  const Frame frame = Frame::of(request(codec, Payload::text, static_cast<std::size_t>(state.range(0))));
  const Envelope envelope = Envelope::parse_request(frame.body).value();
  measure(state, codec, std::string(frame.body), [&] {
    OutFrame out = splice_request(frame, envelope, {987654321, "echo", 29999.0});
    benchmark::DoNotOptimize(&out);
  });
}

// A stream of frames of one size, read as a socket gives it.
void cut_frames(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const FrameHeader header = frame_header(static_cast<std::uint32_t>(size));
  const std::string frame = std::string(header.bytes, 4) + std::string(size, 'x');
  std::string stream;
  while (stream.size() < (256u << 10)) stream += frame;
  FrameDecoder decoder;
  for (auto _ : state) {
    for (std::size_t sent = 0; sent < stream.size();) {
      const auto space = decoder.prepare();
      const std::size_t n = std::min(space.size(), stream.size() - sent);
      std::memcpy(space.data(), stream.data() + sent, n);
      decoder.commit(n);
      sent += n;
      for (auto event = decoder.next(); event.kind != FrameDecoder::Kind::need_more; event = decoder.next())
        benchmark::DoNotOptimize(&event);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(stream.size()));
  const std::size_t frames = stream.size() / frame.size();
  state.counters["per_frame"] = benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(frames),
                                                   benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(parse_request, json_text, Codec::json, Payload::text)->Arg(100)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_request, json_numbers, Codec::json, Payload::numbers)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_request, json_mixed, Codec::json, Payload::mixed)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_request, msgpack_text, Codec::msgpack, Payload::text)->Arg(100)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_request, msgpack_numbers, Codec::msgpack, Payload::numbers)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_request, msgpack_mixed, Codec::msgpack, Payload::mixed)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_reply, json_mixed, Codec::json, Payload::mixed)->Arg(100)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(parse_reply, msgpack_mixed, Codec::msgpack, Payload::mixed)->Arg(100)->Arg(1000)->Arg(1'000'000);
BENCHMARK_CAPTURE(decode_document, json_text, Codec::json, Payload::text)->Arg(1'000'000);
BENCHMARK_CAPTURE(decode_document, json_numbers, Codec::json, Payload::numbers)->Arg(1'000'000);
BENCHMARK_CAPTURE(decode_document, json_mixed, Codec::json, Payload::mixed)->Arg(1'000'000);
BENCHMARK_CAPTURE(decode_document, msgpack_text, Codec::msgpack, Payload::text)->Arg(1'000'000);
BENCHMARK_CAPTURE(decode_document, msgpack_mixed, Codec::msgpack, Payload::mixed)->Arg(1'000'000);
BENCHMARK_CAPTURE(encode_document, json_text, Codec::json, Payload::text)->Arg(1'000'000);
BENCHMARK_CAPTURE(encode_document, json_mixed, Codec::json, Payload::mixed)->Arg(1'000'000);
BENCHMARK_CAPTURE(encode_document, msgpack_mixed, Codec::msgpack, Payload::mixed)->Arg(1'000'000);
BENCHMARK_CAPTURE(splice, json, Codec::json)->Arg(100)->Arg(1'000'000);
BENCHMARK_CAPTURE(splice, msgpack, Codec::msgpack)->Arg(100)->Arg(1'000'000);
BENCHMARK(cut_frames)->Arg(100)->Arg(1000)->Arg(1 << 20);

}  // namespace
}  // namespace pons
