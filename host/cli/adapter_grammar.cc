#include "host/cli/adapter_grammar.h"

namespace pons::cli {
namespace {

constexpr std::string_view kInstallExamples =
    "\nAn adapter whose adapter.yaml names `requirements` gets an environment of its own, below the state directory: by uv where it is on\n"
    "PATH, else by python3 -m venv and pip, with your own settings of these. It is safe to interrupt and to repeat.\n"
    "\nExamples:\n"
    "  pons adapter install transformers\n"
    "  pons adapter install transformers --models   and the packages with its models\n"
    "  pons adapter install ./sentiment             a folder\n"
    "  pons adapter install transformers --upgrade  anew, after its requirements have changed\n"
    "  pons adapter install transformers --remove\n";
constexpr std::string_view kListExamples =
    "\nExamples:\n"
    "  pons adapter list\n"
    "  pons adapter list --json\n";
constexpr std::string_view kInfoExamples =
    "\nExamples:\n"
    "  pons adapter info echo\n"
    "  pons adapter info ./sentiment --commands     starts a worker, and asks it\n";
constexpr std::string_view kNewExamples =
    "\nExamples:\n"
    "  pons adapter new sentiment                   ./sentiment, in Python\n"
    "  pons adapter new sentiment --lang cpp --dir adapters\n";

void add_target(CLI::App& command, Options& options) {
  command.add_option("NAME", options.target, "An adapter by its name, or the path of its folder.")->type_name("")->required();
}

void add_json(CLI::App& command, Options& options) { command.add_flag("--json", options.json, "One line of JSON, errors too."); }

}  // namespace

void add_adapter_packages(Options& options, const AddVerb& add_verb) {
  auto& install = add_verb(Verb::adapter_install, "install", "Make the environment that an adapter in Python needs.", kInstallExamples);
  add_target(install, options);
  auto* upgrade =
      install.add_flag("--upgrade", options.upgrade, "Anew, even if there is one; the old one serves until the new one is complete.");
  auto* models = install.add_flag("--models", options.models, "Add the packages of its models, as adapter.yaml pins them.");
  install.add_flag("--remove", options.remove, "Remove it.")->excludes(upgrade)->excludes(models);
  add_json(install, options);

  auto& list = add_verb(Verb::adapter_list, "list", "List the adapters that are installed.", kListExamples);
  add_json(list, options);

  auto& info = add_verb(Verb::adapter_info, "info", "What an adapter is, what it needs, and what of that is missing.", kInfoExamples);
  add_target(info, options);
  info.add_flag("--commands", options.show_commands, "Start a worker, and list its commands.");
  add_json(info, options);

  auto& make = add_verb(Verb::adapter_new, "new", "Write a new adapter, with a test.", kNewExamples);
  make.add_option("NAME", options.target, "Its name, and that of its folder.")->type_name("")->required();
  make.add_option("--lang", options.language, "python or cpp (default: python).")
      ->check(CLI::IsMember({"python", "cpp"}))
      ->type_name("LANGUAGE");
  make.add_option("--dir", options.folder, "The folder that its folder is made in (default: .).")->type_name("DIR");
  add_json(make, options);
}

}  // namespace pons::cli
