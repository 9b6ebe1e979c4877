#include "worker/resources.h"

#include <gtest/gtest.h>

#include <memory>
#include <regex>
#include <set>

#include "tests/worker/test_host.h"
#include "worker/worker.h"

namespace pons::test {
namespace {

struct Model {
  int factor;
  std::unique_ptr<int> only_moved;  // models are often not copyable
};

int serve_models(int fd) {
  Worker worker("ml", "1", ChannelFds{fd, fd});
  auto& models = worker.resource<Model>("model", {.description = "Multiplies.",
                                                  .create =
                                                      [](const json& args) {
                                                        return Model{args.at("factor").get<int>(), std::make_unique<int>(1)};
                                                      },
                                                  .execute =
                                                      [](Model& model, const json& inputs) {
                                                        return json{{"product", model.factor * inputs.at("x").get<int>()}};
                                                      },
                                                  .describe =
                                                      [](const Model& model) {
                                                        return json{{"factor", model.factor}};
                                                      }});
  worker.resource<std::string>(
      "note", {.create = [](const json& args, Context& context) { return args.value("text", "") + std::string(context.command()); }});
  worker.command("save_model", [&](const json& args) { return json{{"saved", models.get_from(args).factor}}; });
  worker.command("load_model", [&](const json& args) { return models.describe(models.add(Model{args.at("saved").get<int>(), nullptr})); });
  return worker.run();
}

class ResourcesTest : public testing::Test {
 protected:
  std::string create(int factor) { return host_.result("create_model", {{"factor", factor}})["resource_id"]; }

  Served served_{serve_models};
  TestHost& host_ = served_.host;
};

TEST(ResourceId, IsTheTypeAnd128RandomBits) {
  std::set<std::string> ids;
  const std::regex shape("model-[0-9a-f]{32}");
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_resource_id("model");
    EXPECT_TRUE(std::regex_match(id, shape)) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
}

TEST_F(ResourcesTest, AreCreatedExecutedListedAndDeleted) {
  const json created = host_.result("create_model", {{"factor", 3}});
  const std::string id = created.at("resource_id");
  EXPECT_EQ(created, (json{{"resource_id", id}, {"type", "model"}, {"factor", 3}}));
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", id}, {"inputs", {{"x", 7}}}})["product"], 21);
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", id}, {"inputs", {{"x", 7}}}}, Codec::msgpack)["product"], 21);
  const std::string second = create(5);
  EXPECT_EQ(host_.result("list_models"), (json{{"models", {created, {{"resource_id", second}, {"type", "model"}, {"factor", 5}}}}}));
  EXPECT_EQ(host_.result("get_stats")["active_resources"], 2);
  EXPECT_EQ(host_.result("delete_resource", {{"resource_id", id}})["resource_id"], id);
  EXPECT_EQ(host_.result("list_models")["models"].size(), 1u);
  EXPECT_EQ(host_.call("execute_resource", {{"resource_id", id}, {"inputs", {{"x", 1}}}})["code"], "resource_not_found");
}

TEST_F(ResourcesTest, AnUnknownIdIsResourceNotFound) {
  for (const std::string command : {"execute_resource", "delete_resource", "save_model"}) {
    const json reply = host_.call(command, {{"resource_id", "model-0"}});
    EXPECT_EQ(reply["code"], "resource_not_found") << command;
    EXPECT_EQ(reply["details"]["resource_id"], "model-0") << command;
  }
}

TEST_F(ResourcesTest, AMissingOrWrongIdIsInvalidArgs) {
  for (const std::string command : {"execute_resource", "delete_resource", "save_model"}) {
    EXPECT_EQ(host_.call(command)["code"], "invalid_args") << command;
    EXPECT_EQ(host_.call(command, {{"resource_id", 5}})["code"], "invalid_args") << command;
  }
}

TEST_F(ResourcesTest, AFailedCreateLeavesNothing) {
  EXPECT_EQ(host_.call("create_model")["code"], "invalid_args");
  EXPECT_EQ(host_.result("list_models")["models"], json::array());
}

TEST_F(ResourcesTest, TypesShareTheirCommands) {
  const std::string model = create(2);
  const std::string note = host_.result("create_note", {{"text", "from "}})["resource_id"];
  EXPECT_TRUE(note.starts_with("note-"));
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", model}, {"inputs", {{"x", 4}}}})["product"], 8);
  const json reply = host_.call("execute_resource", {{"resource_id", note}});
  EXPECT_EQ(reply["code"], "invalid_args");
  EXPECT_EQ(reply["error"], "A note cannot be executed");
  EXPECT_EQ(host_.result("list_notes")["notes"].size(), 1u);
  host_.result("delete_resource", {{"resource_id", note}});
  EXPECT_EQ(host_.result("list_notes")["notes"].size(), 0u);
  EXPECT_EQ(host_.result("get_info")["resource_types"], (json{"model", "note"}));
}

TEST_F(ResourcesTest, OtherCommandsLookUpAndAdd) {
  const std::string id = create(9);
  EXPECT_EQ(host_.result("save_model", {{"resource_id", id}})["saved"], 9);
  const json loaded = host_.result("load_model", {{"saved", 9}});
  EXPECT_NE(loaded["resource_id"], id);
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", loaded["resource_id"]}, {"inputs", {{"x", 2}}}})["product"], 18);
}

TEST_F(ResourcesTest, CleanupFreesAll) {
  create(1);
  create(2);
  host_.result("create_note");
  const json cleaned = host_.result("cleanup");
  EXPECT_EQ(cleaned["resources_removed"], 3);
  EXPECT_EQ(host_.result("list_models")["models"], json::array());
  EXPECT_EQ(host_.result("get_stats")["active_resources"], 0);
}

}  // namespace
}  // namespace pons::test
