// The minimal worker.
#include <pons/worker/worker.h>

int main(int argc, char** argv) {
  pons::Worker worker("hello", "1.0");
  worker.command("greet", {.description = "Says hello.", .idempotent = true}, [](const nlohmann::json& args) {
    return nlohmann::json{{"text", "Hello " + args.value("name", "you")}};
  });
  return worker.run(argc, argv);
}
