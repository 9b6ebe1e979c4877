// A worker that sends requests of its own as it is told to, byte for byte as bad as that may be, and keeps what comes back.
//   {"command": "ask", "args": {"frames": [...], "replies": N, "first": BOOL}}
// writes the frames (of each, "$parent" as parent_id becomes the id of this request), reads until N replies have come, and answers with
// all that came meanwhile, in order. `first`: answers before it sends anything. `collect` {"replies": N} waits for what came of that.
#include <unistd.h>

#include <iterator>

#include "tests/workers/raw_channel.h"

namespace {

using nlohmann::json;

class Asker {
 public:
  explicit Asker(bad::RawChannel channel) : channel_(channel) {}

  void serve() {
    while (const auto frame = next()) take(*frame);
  }

 private:
  /// What has been put aside comes first.
  std::optional<json> next() {
    if (aside_.empty()) return channel_.read_request();
    auto frame = aside_.front();
    aside_.erase(aside_.begin());
    return frame;
  }

  void take(const json& frame) {
    if (frame.contains("success")) return kept_.push_back(frame);
    const auto command = frame.value("command", "");
    const json info{{"name", "asking"}, {"version", "1"}, {"capabilities", json::array()}, {"commands", json::array()}};
    if (command == "ping")
      return channel_.write_document(bad::reply_to(frame, {{"status", "ok"}, {"worker_id", "asking"}, {"protocol", 1}}));
    if (command == "get_info") return channel_.write_document(bad::reply_to(frame, info));
    if (command == "ask") return ask(frame);
    if (command == "collect") return answer(frame, frame["args"].value("replies", std::size_t{0}));
    channel_.write_document(bad::reply_to(frame, json::object()));  // common:cancel
    if (command == "common:cancel") kept_.push_back({{"cancelled", frame["args"]["id"]}});
  }

  void ask(const json& request) {
    const auto& args = request["args"];
    if (args.value("first", false)) channel_.write_document(bad::reply_to(request, nullptr));
    for (json frame : args["frames"]) {
      if (frame.is_string()) {
        channel_.write_body(frame.get<std::string>());
        continue;
      }
      if (frame.contains("parent_id") && frame["parent_id"] == "$parent") frame["parent_id"] = request["id"];
      channel_.write_document(frame);
    }
    if (!args.value("first", false)) answer(request, args.value("replies", args["frames"].size()));
  }

  void answer(const json& request, std::size_t replies) {
    json aside = json::array();
    while (kept_.size() < replies) {
      const auto frame = channel_.read_request();
      if (!frame) _exit(0);
      const auto command = frame->value("command", "");
      if (command == "ask" || command == "collect") {
        aside.push_back(*frame);
      } else {
        take(*frame);
      }
    }
    channel_.write_document(bad::reply_to(request, std::move(kept_)));
    kept_ = json::array();
    aside_.insert(aside_.end(), aside.begin(), aside.end());
  }

  bad::RawChannel channel_;
  json kept_ = json::array();
  std::vector<json> aside_;
};

}  // namespace

int main() { Asker(bad::RawChannel::claim()).serve(); }
