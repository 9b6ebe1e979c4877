#include "host/cli/templates.h"

namespace pons::cli {
namespace {

constexpr std::string_view kPythonYaml = R"(@SCHEMA@name: @NAME@
version: "0.1.0"
description: Says hello.
python: @FILE@.py
options:
  properties:
    greeting: {type: string, minLength: 1, default: Hello, description: What is said before the name.}
)";

constexpr std::string_view kPythonWorker = R"("""The worker of the adapter @NAME@."""

from __future__ import annotations

from typing import Dict

import pons

app = pons.App("@NAME@", version="0.1.0")


@app.command(idempotent=True)
def greet(name: str, times: int = 1) -> Dict[str, str]:
    """Say hello.

    Parameters
    ----------
    name
        Whom to greet.
    times
        How often, at least 1.
    """
    if times < 1:
        raise pons.Error("times must be at least 1", code="invalid_args")
    greeting = app.options.get("greeting", "Hello")
    return {"text": " ".join([f"{greeting} {name}!"] * times)}


if __name__ == "__main__":
    app.run()
)";

constexpr std::string_view kPythonTest = R"("""Tests of the adapter @NAME@: without a process and without a host."""

from __future__ import annotations

import pathlib
import sys

import pytest

import pons
import pons.testing

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from @FILE@ import app  # noqa: E402


def test_greets() -> None:
    with pons.testing.client(app) as client:
        assert client.call("greet", name="Ada") == {"text": "Hello Ada!"}


def test_takes_its_greeting_from_the_options() -> None:
    with pons.testing.client(app, options={"greeting": "Salut"}) as client:
        assert client.call("greet", name="Ada", times=2) == {"text": "Salut Ada! Salut Ada!"}


def test_refuses_what_it_cannot_do() -> None:
    with pons.testing.client(app) as client:
        with pytest.raises(pons.Error) as refused:
            client.call("greet", name="Ada", times=0)
    assert refused.value.code == "invalid_args"
)";

constexpr std::string_view kPythonReadme = R"(# @NAME@

An adapter of Pons, in Python.

    pons call --adapter . greet name=Ada      # in this folder
    PYTHONPATH=@SDK@ python3 -m pytest        # its tests; without PYTHONPATH where the package pons is installed

- `@FILE@.py` is the worker: each `@app.command` is a command that applications call as `@NAME@:NAME`.
- `adapter.yaml` says what it is, which options it has, and what it needs. Packages that it imports belong into a `requirements.txt` with pinned versions,
  named there as `requirements: requirements.txt`; then `pons adapter install .` makes an environment for it.
- `test_@FILE@.py` are its tests.

To serve it, name its folder in a configuration (`adapters: {@NAME@: ./path/of/this/folder}`), or put the folder around it on `PONS_ADAPTER_PATH`.
)";

constexpr std::string_view kCppYaml = R"(@SCHEMA@name: @NAME@
version: "0.1.0"
description: Says hello.
command: [./build/@FILE@]
options:
  properties:
    greeting: {type: string, minLength: 1, default: Hello, description: What is said before the name.}
)";

constexpr std::string_view kCppCMake =
    R"(# cmake -S . -B build -DCMAKE_PREFIX_PATH=WHERE_PONS_IS_INSTALLED && cmake --build build && ctest --test-dir build
cmake_minimum_required(VERSION 3.25)
project(@FILE@ LANGUAGES CXX)
find_package(pons REQUIRED)

add_executable(@FILE@ main.cc greeting.cc)
target_link_libraries(@FILE@ PRIVATE pons::worker)

enable_testing()
add_executable(@FILE@_test greeting_test.cc greeting.cc)
target_link_libraries(@FILE@_test PRIVATE pons::worker)
add_test(NAME greeting COMMAND @FILE@_test)
)";

constexpr std::string_view kCppHeader = R"(// What @NAME@ does, apart from being a worker: so that it can be tested without a process.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// {"text": "<greeting> <name>!"}. `args` must have `name`, a text; else nlohmann's exceptions become `invalid_args`.
nlohmann::json greet(const nlohmann::json& args, const std::string& greeting);
)";

constexpr std::string_view kCppSource = R"(#include "greeting.h"

nlohmann::json greet(const nlohmann::json& args, const std::string& greeting) {
  return {{"text", greeting + " " + args.at("name").get<std::string>() + "!"}};
}
)";

constexpr std::string_view kCppMain = R"(// The worker of the adapter @NAME@.
#include <pons/worker/worker.h>

#include "greeting.h"

int main(int argc, char** argv) {
  pons::Worker worker("@NAME@", "0.1.0");
  worker.command("greet", {.description = "Says hello.", .idempotent = true}, [](const nlohmann::json& args, pons::Context& context) {
    return greet(args, context.worker().options.value("greeting", "Hello"));
  });
  return worker.run(argc, argv);
}
)";

constexpr std::string_view kCppTest = R"(// Tests of what @NAME@ does. Ends with 1 at the first that fails.
#include <cstdio>
#include <cstdlib>

#include "greeting.h"

namespace {

void check(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "FAILED: %s\n", what);
  std::exit(1);
}

}  // namespace

int main() {
  check(greet({{"name", "Ada"}}, "Hello") == nlohmann::json{{"text", "Hello Ada!"}}, "it greets");
  bool refused = false;
  try {
    greet(nlohmann::json::object(), "Hello");
  } catch (const nlohmann::json::out_of_range&) {
    refused = true;
  }
  check(refused, "it refuses to greet nobody");
}
)";

constexpr std::string_view kCppReadme = R"(# @NAME@

An adapter of Pons, in C++. It needs an installed Pons, Boost 1.81 and nlohmann_json.

    cmake -S . -B build -DCMAKE_PREFIX_PATH=WHERE_PONS_IS_INSTALLED
    cmake --build build
    ctest --test-dir build                    # its test
    pons call --adapter . greet name=Ada

- `main.cc` is the worker: each command that it adds is one that applications call as `@NAME@:NAME`. `greeting.cc` is what it does, `greeting_test.cc` its test.
- `adapter.yaml` says what it is, which options it has, and what it needs.

To serve it, name its folder in a configuration (`adapters: {@NAME@: ./path/of/this/folder}`), or put the folder around it on `PONS_ADAPTER_PATH`.
)";

std::string filled(std::string_view text, const std::vector<std::pair<std::string_view, std::string>>& values) {
  std::string out(text);
  for (const auto& [mark, value] : values) {
    for (auto at = out.find(mark); at != std::string::npos; at = out.find(mark, at + value.size())) out.replace(at, mark.size(), value);
  }
  return out;
}

/// A word that Python and CMake take for a name.
std::string identifier(const std::string& name) {
  std::string out = name;
  for (char& c : out) {
    if (c == '-') c = '_';
  }
  return out.find_first_of("0123456789") == 0 ? "_" + out : out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> adapter_files(std::string_view language, const std::string& name,
                                                               const Surrounding& around) {
  const std::string file = identifier(name) + "_worker";
  const std::string line = around.schema.empty() ? "" : "# yaml-language-server: $schema=" + around.schema + "\n";
  const std::vector<std::pair<std::string_view, std::string>> values{
      {"@SCHEMA@", line}, {"@NAME@", name}, {"@FILE@", file}, {"@SDK@", around.sdk.empty() ? "WHERE_THE_SDK_IS" : around.sdk}};
  std::vector<std::pair<std::string, std::string_view>> files;
  if (language == "python") {
    files = {
        {"adapter.yaml", kPythonYaml}, {file + ".py", kPythonWorker}, {"test_" + file + ".py", kPythonTest}, {"README.md", kPythonReadme}};
  } else {
    files = {{"adapter.yaml", kCppYaml},  {"CMakeLists.txt", kCppCMake},  {"main.cc", kCppMain},    {"greeting.h", kCppHeader},
             {"greeting.cc", kCppSource}, {"greeting_test.cc", kCppTest}, {"README.md", kCppReadme}};
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [path, text] : files) out.emplace_back(path, filled(text, values));
  return out;
}

}  // namespace pons::cli
