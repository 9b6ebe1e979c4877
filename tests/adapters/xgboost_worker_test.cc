// The XGBoost adapter's program, as a host starts it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/adapters/xgboost_helpers.h"
#include "tests/worker/test_host.h"

namespace pons::xgb {
namespace {

using test::Served;
using test::TestHost;

int run_worker(int fd) {
  fcntl(fd, F_SETFD, 0);
  const int null = open("/dev/null", O_RDWR);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  dup2(null, STDERR_FILENO);
  setenv("PONS_FD", std::to_string(fd).c_str(), 1);
  execl(PONS_XGBOOST_WORKER, PONS_XGBOOST_WORKER, nullptr);
  return 127;
}

class XgboostWorker : public testing::Test {
 protected:
  json train(json args = {{"dataset", "iris"}, {"rounds", 5}}, Codec codec = Codec::json) {
    return host_.result("create_model", std::move(args), codec);
  }

  Served served_{run_worker};
  TestHost& host_ = served_.host;
  TempFolder folder_;
};

TEST_F(XgboostWorker, SaysWhatItIs) {
  const json info = host_.result("get_info");
  EXPECT_EQ(info["name"], "xgboost");
  EXPECT_EQ(info["framework_version"], library_version());
  std::vector<std::string> names;
  for (const json& command : info["commands"]) names.push_back(command["name"]);
  for (const char* name :
       {"create_model", "execute_resource", "list_models", "delete_resource", "save_model", "load_model", "evaluate", "list_datasets"}) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  }
}

TEST_F(XgboostWorker, FindsTheDataBesideItself) {
  const json sets = host_.result("list_datasets")["datasets"];
  ASSERT_EQ(sets.size(), 2u);
  EXPECT_EQ(sets[0]["name"], "digits");
  EXPECT_EQ(sets[1]["name"], "iris");
}

TEST_F(XgboostWorker, TrainsPredictsListsAndDeletes) {
  for (const Codec codec : {Codec::json, Codec::msgpack}) {
    const json model = train({{"dataset", "iris"}}, codec);
    EXPECT_GT(model["accuracy"], 0.9);
    const json id = model["resource_id"];
    const json inputs{{"rows", {{5.1, 3.5, 1.4, 0.2}, {6.7, 3.0, 5.2, 2.3}}}, {"probabilities", true}};
    const json reply = host_.result("execute_resource", {{"resource_id", id}, {"inputs", inputs}}, codec);
    EXPECT_EQ(reply["predictions"], json({"setosa", "virginica"}));
    EXPECT_EQ(reply["probabilities"][0].size(), 3u);
    EXPECT_EQ(host_.result("list_models", json::object(), codec)["models"][0]["resource_id"], id);
    host_.result("delete_resource", {{"resource_id", id}}, codec);
    EXPECT_TRUE(host_.result("list_models", json::object(), codec)["models"].empty());
    EXPECT_EQ(host_.call("execute_resource", {{"resource_id", id}, {"inputs", inputs}}, codec)["code"], "resource_not_found");
  }
}

TEST_F(XgboostWorker, ANanOfMessagePackCountsAsMissing) {
  const json id = train()["resource_id"];
  json args{{"resource_id", id}, {"inputs", {{"rows", {{1.0, std::numeric_limits<double>::quiet_NaN(), 3.0, 4.0}}}}}};
  const json refused = host_.call("execute_resource", args, Codec::msgpack);
  EXPECT_EQ(refused["code"], "invalid_args");
  EXPECT_EQ(refused["details"]["errors"][0]["path"], "/inputs/rows/0/1");
  args["inputs"]["missing"] = "allow";
  EXPECT_EQ(host_.result("execute_resource", args, Codec::msgpack)["rows"], 1);
}

TEST_F(XgboostWorker, SavesAndLoads) {
  const json model = train();
  const std::string path = folder_.path("model.json");
  const json saved = host_.result("save_model", {{"resource_id", model["resource_id"]}, {"path", path}});
  EXPECT_EQ(saved["bytes"], std::filesystem::file_size(path));
  host_.result("save_model", {{"resource_id", model["resource_id"]}, {"path", path}});  // over the old file
  EXPECT_EQ(folder_.files(), 1u) << "a temporary file was left";
  const json loaded = host_.result("load_model", {{"path", path}});
  EXPECT_NE(loaded["resource_id"], model["resource_id"]);
  EXPECT_EQ(loaded["classes"], model["classes"]);
  EXPECT_EQ(loaded["metric"], model["metric"]);
  const json inputs{{"rows", {{5.1, 3.5, 1.4, 0.2}, {6.0, 2.9, 4.5, 1.5}}}, {"probabilities", true}};
  EXPECT_EQ(host_.result("execute_resource", {{"resource_id", loaded["resource_id"]}, {"inputs", inputs}}),
            host_.result("execute_resource", {{"resource_id", model["resource_id"]}, {"inputs", inputs}}));
}

TEST_F(XgboostWorker, SaysWhyItCannotSave) {
  const json id = train()["resource_id"];
  for (const std::string& path : {folder_.path("no/such/folder/m.json"), folder_.path(""), folder_.file("file", "x") + "/m.json"}) {
    const json reply = host_.call("save_model", {{"resource_id", id}, {"path", path}});
    EXPECT_EQ(reply["code"], "invalid_args");
    EXPECT_EQ(reply["details"]["errors"][0]["path"], "/path");
    EXPECT_NE(reply["error"].get<std::string>().find("Cannot write " + path), std::string::npos) << reply["error"];
  }
  EXPECT_EQ(host_.call("save_model", {{"resource_id", "model-0"}, {"path", folder_.path("m")}})["code"], "resource_not_found");
  EXPECT_EQ(host_.call("save_model", {{"resource_id", id}})["code"], "invalid_args");
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(XgboostWorker, SaysWhyItCannotLoad) {
  EXPECT_EQ(host_.call("load_model", {{"path", folder_.path("absent.json")}})["code"], "invalid_args");
  EXPECT_EQ(host_.call("load_model", {{"path", folder_.path("")}})["code"], "invalid_args");
  const json id = train()["resource_id"];
  const std::string path = folder_.path("model.json");
  host_.result("save_model", {{"resource_id", id}, {"path", path}});
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  const json reply = host_.call("load_model", {{"path", path}});
  EXPECT_EQ(reply["code"], "model_error");
  EXPECT_NE(reply["error"].get<std::string>().find(path), std::string::npos);
  EXPECT_EQ(host_.result("ping")["status"], "ok");
}

TEST_F(XgboostWorker, Evaluates) {
  const json id = train()["resource_id"];
  const json result = host_.result("evaluate", {{"resource_id", id}, {"dataset", "iris"}});
  EXPECT_GT(result["accuracy"], 0.9);
  EXPECT_EQ(host_.result("evaluate", {{"resource_id", id}, {"rows", {{5.1, 3.5, 1.4, 0.2}}}, {"labels", {"setosa"}}})["accuracy"], 1.0);
  EXPECT_EQ(host_.call("evaluate", {{"resource_id", id}, {"rows", {{1, 2}}}, {"labels", {"setosa"}}})["code"], "invalid_args");
  EXPECT_EQ(host_.call("evaluate", {{"resource_id", "model-0"}, {"dataset", "iris"}})["code"], "resource_not_found");
}

TEST_F(XgboostWorker, ErrorsSayWhereTheyAre) {
  const json reply = host_.call("create_model", {{"dataset", "iris"}, {"params", {{"max_dpeth", 3}}}});
  EXPECT_EQ(reply["code"], "invalid_configuration");
  EXPECT_EQ(reply["details"]["errors"][0]["expected"], json({"max_depth"}));
  EXPECT_EQ(host_.call("create_model", {{"dataset", "irs"}})["code"], "invalid_args");
  EXPECT_EQ(host_.result("ping")["status"], "ok");
}

TEST_F(XgboostWorker, StopsTrainingWhenCancelled) {
  host_.send({{"id", 7}, {"command", "create_model"}, {"stream", true}, {"args", {{"dataset", "digits"}, {"rounds", 100'000}}}});
  const json progress = host_.receive();
  EXPECT_EQ(progress["partial"], true);
  EXPECT_EQ(progress["progress"]["total"], 100'000);
  host_.send({{"id", 8}, {"command", "common:cancel"}, {"args", {{"id", 7}}}});
  json reply = host_.receive();
  while (reply["id"] != 7 || reply.value("partial", false)) reply = host_.receive();
  EXPECT_EQ(reply["success"], false);
  EXPECT_EQ(reply["code"], "cancelled");
  EXPECT_TRUE(host_.result("list_models")["models"].empty());
}

TEST_F(XgboostWorker, EndsWithItsHost) {
  train();
  host_.close();
  EXPECT_EQ(served_.child.exit_status(), 0);
}

}  // namespace
}  // namespace pons::xgb
