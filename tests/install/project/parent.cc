// A parent: calls the worker of hello.cc through the host whose socket is named.
#include <pons/clients/cpp/client.h>

#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto client = pons::Client::connect(argv[1]);
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  const auto answer = client->call("hello:greet", {{"name", "parent"}});
  if (!answer) {
    std::fprintf(stderr, "%s\n", answer.error().message.c_str());
    return 1;
  }
  std::puts(answer->at("text").get<std::string>().c_str());
  return 0;
}
