// Sessions on their way from one worker to another.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "protocol/base64.h"
#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

/// Keeps a text for each session; its snapshot is that text.
int serve_notes(int fd) {
  std::map<std::string, std::string> notes;
  Worker worker("notes", "1", ChannelFds{fd, fd});
  worker.command("note", [&](const json& args, Context& context) {
    std::string& text = notes[context.session_id().value()];
    text += args.at("text");
    return json(text);
  });
  worker.command("wait",
                 [](const json& args, Context& context) { return json(context.sleep(Context::Duration(args.at("ms").get<int>()))); });
  worker.session_snapshot(
      "notes/2",
      [&](const std::string& session) {
        const std::string& text = notes[session];
        if (text == "secret") throw Exception(ErrorCode::model_error, "This cannot be saved");
        return Worker::Bytes(text.begin(), text.end());
      },
      [&](const std::string& session, const Worker::Bytes& state) {
        if (state.empty()) throw std::runtime_error("there is nothing in it");
        notes[session] = std::string(state.begin(), state.end());
      });
  return worker.run();
}

class SnapshotTest : public testing::TestWithParam<Codec> {
 protected:
  json note(TestHost& host, const std::string& session, const std::string& text) {
    return host.call("note", {{"text", text}}, GetParam(), {{"session_id", session}});
  }
  json saved(TestHost& host, const std::string& session) {
    return host.call("common:export_session", {{"session_id", session}}, GetParam());
  }
  json restored(TestHost& host, json args) { return host.call("common:import_session", std::move(args), GetParam()); }
  static json state(std::string_view text) {
    const Worker::Bytes bytes(text.begin(), text.end());
    return GetParam() == Codec::json ? json(base64_encode(bytes)) : json::binary(bytes);
  }

  Served one_{serve_notes};
  Served other_{serve_notes};
};

INSTANTIATE_TEST_SUITE_P(Snapshots, SnapshotTest, testing::Values(Codec::json, Codec::msgpack),
                         [](const auto& codec) { return std::string(to_string(codec.param)); });

TEST_P(SnapshotTest, ASessionGoesOnInAnotherWorker) {
  note(one_.host, "s", "ab");
  note(one_.host, "s", "c");
  const json snapshot = saved(one_.host, "s")["result"];
  EXPECT_EQ(snapshot, (json{{"format", "notes/2"}, {"state", state("abc")}, {"covers", 2}}));

  json args = snapshot;
  args["session_id"] = "s";
  EXPECT_EQ(restored(other_.host, args)["result"], (json{{"imported", true}}));
  EXPECT_EQ(note(other_.host, "s", "d")["result"], "abcd");
  EXPECT_EQ(saved(other_.host, "s")["result"]["covers"], 3);  // it goes on counting
  EXPECT_EQ(other_.host.result("common:end_session", {{"session_id", "s"}})["found"], true);
}

TEST_P(SnapshotTest, AnyBytesAreCarried) {
  const std::string bytes("\xff\x00\x01 {\"", 6);
  EXPECT_TRUE(restored(one_.host, {{"session_id", "s"}, {"format", "notes/2"}, {"state", state(bytes)}, {"covers", 7}})["success"]);
  const json snapshot = saved(one_.host, "s")["result"];
  EXPECT_EQ(snapshot["state"], state(bytes));
  EXPECT_EQ(snapshot["covers"], 7);
}

TEST_P(SnapshotTest, CoversCountsEveryReplyOfTheSessionAndNothingElse) {
  TestHost& host = one_.host;
  const json in_session{{"session_id", "s"}};
  note(host, "s", "a");
  EXPECT_EQ(host.call("note", json::object(), GetParam(), in_session)["success"], false);
  EXPECT_EQ(host.call("nothing", json::object(), GetParam(), in_session)["success"], false);
  note(host, "another", "b");
  host.result("ping");
  EXPECT_EQ(saved(host, "s")["result"]["covers"], 3);
  const json more{{"session_id", "s"}};
  EXPECT_EQ(host.call("common:export_session", {{"session_id", "s"}}, GetParam(), more)["result"]["covers"], 3);
}

TEST_P(SnapshotTest, ARequestThatWasCancelledBeforeItBeganCounts) {
  TestHost& host = one_.host;
  const auto send = [&](int id, const std::string& command, json args, const std::string& session) {
    host.send({{"id", id}, {"command", command}, {"args", std::move(args)}, {"session_id", session}}, GetParam());
  };
  send(1, "wait", {{"ms", 60'000}}, "long");
  send(2, "note", {{"text", "a"}}, "s");
  for (const int id : {2, 1}) host.send({{"id", 10 + id}, {"command", "common:cancel"}, {"args", {{"id", id}}}}, GetParam());
  for (int replies = 0; replies < 4; ++replies) host.receive(GetParam());
  EXPECT_EQ(saved(host, "s")["result"], (json{{"format", "notes/2"}, {"state", state("")}, {"covers", 1}}));
}

TEST_P(SnapshotTest, AnUnknownSessionIsAnError) {
  const json reply = saved(one_.host, "nobody");
  EXPECT_EQ(reply["error"], "Unknown session: nobody");
  EXPECT_EQ(reply["code"], "invalid_args");
  note(one_.host, "s", "a");
  one_.host.result("common:end_session", {{"session_id", "s"}});
  EXPECT_EQ(saved(one_.host, "s")["error"], "Unknown session: s");
}

TEST_P(SnapshotTest, AnotherFormatIsRefused) {
  const json reply = restored(one_.host, {{"session_id", "s"}, {"format", "notes/1"}, {"state", state("a")}, {"covers", 1}});
  EXPECT_EQ(reply["error"], "Unknown snapshot format \"notes/1\": this worker reads \"notes/2\"");
  EXPECT_EQ(reply["code"], "invalid_args");
  EXPECT_EQ(reply["details"], (json{{"format", "notes/1"}, {"expected", "notes/2"}}));
  EXPECT_EQ(saved(one_.host, "s")["error"], "Unknown session: s");
}

TEST_P(SnapshotTest, WhatIsNoSnapshotIsRefused) {
  const json good{{"session_id", "s"}, {"format", "notes/2"}, {"state", state("a")}, {"covers", 1}};
  for (const json& patch : {json{{"state", 1}}, json{{"state", "no base64!"}}, json{{"covers", -1}}, json{{"covers", "1"}},
                            json{{"state", nullptr}}, json{{"session_id", nullptr}}, json{{"format", nullptr}}}) {
    json bad = good;
    bad.merge_patch(patch);  // null takes away
    EXPECT_EQ(restored(one_.host, bad)["code"], "invalid_args") << patch;
  }
  EXPECT_EQ(saved(one_.host, "s")["error"], "Unknown session: s");
  EXPECT_TRUE(restored(one_.host, good)["success"]);
}

TEST_P(SnapshotTest, FailuresOfTheAdapterAreErrors) {
  note(one_.host, "s", "secret");
  EXPECT_EQ(saved(one_.host, "s")["code"], "model_error");
  const json reply = restored(one_.host, {{"session_id", "t"}, {"format", "notes/2"}, {"state", state("")}});
  EXPECT_EQ(reply["error"], "there is nothing in it");
  EXPECT_EQ(saved(one_.host, "t")["error"], "Unknown session: t");
}

TEST(Snapshots, ACapabilitySaysThatTheyAreThere) {
  Served with(serve_notes);
  EXPECT_EQ(with.host.result("get_info")["capabilities"], json::array({"session_snapshot"}));
  EXPECT_EQ(with.host.result("get_info")["commands"].size(), 2u);
  Served without([](int fd) { return Worker("plain", "1", ChannelFds{fd, fd}).run(); });
  EXPECT_EQ(without.host.call("common:export_session", {{"session_id", "s"}})["code"], "unknown_command");
}

TEST(Snapshots, WrongDeclarationsThrow) {
  const auto save = [](const std::string& /*session*/) { return Worker::Bytes(); };
  const auto restore = [](const std::string& /*session*/, const Worker::Bytes& /*state*/) {};
  Worker worker("notes", "1", ChannelFds{});
  EXPECT_THROW(worker.session_snapshot("", save, restore), std::invalid_argument);
  EXPECT_THROW(worker.session_snapshot("notes/1", {}, restore), std::invalid_argument);
  EXPECT_THROW(worker.session_snapshot("notes/1", save, {}), std::invalid_argument);
  worker.session_snapshot("notes/1", save, restore);
  EXPECT_THROW(worker.session_snapshot("notes/1", save, restore), std::invalid_argument);
}

}  // namespace
}  // namespace pons::test
