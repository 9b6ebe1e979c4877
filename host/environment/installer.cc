#include "host/environment/installer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "host/config/python_worker.h"
#include "host/environment/child.h"
#include "host/environment/lock.h"
#include "host/environment/sha256.h"
#include "pool/process.h"
#include "protocol/transport/private_directory.h"

extern "C" char** environ;  // the user's own settings of uv and pip are handed on

namespace pons {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTailLines = 15;

Error failed(std::string what) { return Error{ErrorCode::internal, std::move(what)}; }

// Numbers name the environments; 0: another thing.
std::uint64_t number_of(const fs::path& path) {
  const std::string name = path.filename().string();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? number : 0;
}

std::vector<fs::path> environments_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code failed_;
  for (fs::directory_iterator entry(folder, failed_); !failed_ && entry != fs::directory_iterator(); entry.increment(failed_)) {
    if (number_of(entry->path()) != 0) out.push_back(entry->path());
  }
  return out;
}

// Written whole or not at all.
Result<void> write_file(const fs::path& file, const std::string& text) {
  const fs::path draft = file.string() + ".new";
  const auto problem = [&] { return failed("cannot write " + file.string() + ": " + std::strerror(errno)); };
  const UniqueFd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(fd.get()) != 0) return problem();
  if (::rename(draft.c_str(), file.c_str()) != 0) return problem();
  return {};
}

// The link is replaced in one step.
Result<void> make_current(const EnvironmentPlace& place, const fs::path& environment) {
  const fs::path draft = place.folder() / "current.new";
  std::error_code error;
  fs::remove(draft, error);
  fs::create_symlink(environment.filename(), draft, error);
  if (!error) fs::rename(draft, place.current(), error);
  if (error) return failed("cannot make " + place.current().string() + ": " + error.message());
  return {};
}

std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error); !error && entry != fs::recursive_directory_iterator();
       entry.increment(error)) {
    std::error_code ignored;
    if (!entry->is_symlink(ignored) && entry->is_regular_file(ignored)) bytes += entry->file_size(ignored);
  }
  return bytes;
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// "3.11.2" of pyvenv.cfg, as venv ("version = ") and uv ("version_info = ") write it.
std::string python_version(const fs::path& environment) {
  std::ifstream file(environment / "pyvenv.cfg");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("version")) continue;
    const auto value = line.find_first_of("0123456789");
    if (value != std::string::npos) return line.substr(value, line.find_last_of("0123456789") - value + 1);
  }
  return "unknown";
}

bool is_at(int fd, const fs::path& path) {
  struct stat held {};
  struct stat there {};
  return ::fstat(fd, &held) == 0 && ::lstat(path.c_str(), &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

bool names(const std::string& text, const std::string& folder) {
  for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at + 1)) {
    const std::size_t end = at + folder.size();
    if (end == text.size() || text[end] == '/' || text[end] == '\0') return true;
  }
  return false;
}

}  // namespace

bool is_in_use(const fs::path& folder) {
  const std::string name = folder.string();
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::uint64_t pid = number_of(entry->path());
    if (pid == 0 || pid == static_cast<std::uint64_t>(::getpid())) continue;
    std::error_code ignored;
    if (names(fs::read_symlink(entry->path() / "exe", ignored).string(), name)) return true;
    std::ifstream file(entry->path() / "cmdline", std::ios::binary);
    if (names(std::string(std::istreambuf_iterator<char>(file), {}), name)) return true;
  }
  return false;
}

EnvironmentInstaller::EnvironmentInstaller(const EnvLookup& env, fs::path requirements, EnvironmentPlace place, int stop_fd,
                                           std::function<void(const std::string&)> progress)
    : requirements_(std::move(requirements)), place_(std::move(place)), stop_fd_(stop_fd), progress_(std::move(progress)) {
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = std::string(text.substr(0, text.find('=')));
    // What stands in the way of an environment of its own.
    if (name == "PYTHONHOME" || name == "PYTHONPATH" || name == "VIRTUAL_ENV") continue;
    if (const auto value = env(name)) variables_.emplace_back(name, *value);
  }
}

std::optional<std::string> EnvironmentInstaller::find_program(const std::string& name) const {
  const auto path = std::find_if(variables_.begin(), variables_.end(), [](const auto& variable) { return variable.first == "PATH"; });
  return find_on_path(name, path == variables_.end() ? "/usr/local/bin:/usr/bin:/bin" : path->second);
}

Result<void> EnvironmentInstaller::run(const std::vector<std::string>& command, const std::string& what) {
  std::deque<std::string> tail;
  std::string line;
  const auto take_line = [&] {
    if (!line.empty()) {
      progress_(line);
      tail.push_back(line);
      if (tail.size() > kTailLines) tail.pop_front();
    }
    line.clear();
  };
  const auto ended = run_child({command, variables_, requirements_.parent_path()}, stop_fd_, [&](std::string_view output) {
    for (const char c : output) {
      if (c == '\n' || c == '\r') {
        take_line();
      } else {
        line += c;
      }
    }
  });
  take_line();
  if (!ended) return failed(what + " failed: " + ended.error().message);
  if (ended->interrupted) return Error{ErrorCode::cancelled, what + " was interrupted"};
  if (ended->status == 0) return {};
  std::string message = what + " failed (exit status " + std::to_string(ended->status) + ")";
  for (const std::string& said : tail) message += "\n  " + said;
  return failed(message);
}

Result<void> EnvironmentInstaller::make(const fs::path& folder, EnvironmentMarker& marker) {
  const fs::path python = folder / "bin" / "python";
  const auto uv = find_program("uv");
  marker.tool = uv ? "uv" : "pip";
  marker.requirements = sha256_of_file(requirements_).value_or("");
  if (const auto made = uv ? run({*uv, "venv", "--python", "python3", folder.string()}, "uv venv")
                           : run({"python3", "-m", "venv", folder.string()}, "python3 -m venv");
      !made) {
    return made.error();
  }
  if (const auto filled = add_packages(folder, {"-r", requirements_.string()}); !filled) return filled.error();
  if (::access(python.c_str(), X_OK) != 0) return failed(marker.tool + " made no interpreter at " + python.string());
  marker.python = python_version(folder);
  marker.made = now_text();
  marker.bytes = bytes_in(folder);
  return write_file(EnvironmentMarker::file_in(folder), marker.to_json().dump() + "\n");
}

Result<void> EnvironmentInstaller::add_packages(const fs::path& folder, const std::vector<std::string>& what) {
  const std::string python = folder / "bin" / "python";
  const auto uv = find_program("uv");
  std::vector<std::string> command{python, "-m", "pip", "install", "--disable-pip-version-check"};
  if (uv) command = {*uv, "pip", "install", "--python", python};
  command.insert(command.end(), what.begin(), what.end());
  return run(command, uv ? "uv pip install" : "pip install");
}

Result<std::vector<std::string>> EnvironmentInstaller::add_models(const fs::path& folder, const std::vector<ModelFile>& models) {
  std::vector<std::string> added;
  for (const ModelFile& model : models) {
    if (model.package.empty() || find_model_file(model, requirements_.parent_path(), site_packages(folder))) continue;
    added.push_back(model.package + (model.version.empty() ? "" : "==" + model.version));
  }
  if (added.empty()) return added;
  std::vector<std::string> what{"--no-deps"};
  what.insert(what.end(), added.begin(), added.end());
  if (const auto done = add_packages(folder, what); !done) return done.error();
  return added;
}

Result<UniqueFd> EnvironmentInstaller::lock() {
  while (true) {
    if (const auto made = make_private_directory(place_.folder(), Sharing::none); !made) return made.error();
    auto held = wait_for_lock(place_.lock(), stop_fd_, [this](pid_t holder) {
      progress_("waiting for process " + (holder > 0 ? std::to_string(holder) : std::string("unknown")) +
                ", which works on the same environment");
    });
    // Whoever held it may have removed the whole folder.
    if (!held || is_at(held->get(), place_.lock())) return held;
  }
}

/// What earlier runs have made and nobody uses; those in use are returned.
std::vector<fs::path> EnvironmentInstaller::remove_others(const fs::path& keep) {
  std::vector<fs::path> kept;
  for (const fs::path& folder : environments_in(place_.folder())) {
    if (folder.filename() == keep.filename()) continue;
    if (is_in_use(folder)) {
      kept.push_back(folder);
      continue;
    }
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  return kept;
}

Result<InstallResult> EnvironmentInstaller::install(bool upgrade, const std::vector<ModelFile>& models) {
  const auto held = lock();
  if (!held) return held.error();
  InstallResult result;
  const EnvironmentFound found = look_at(place_, requirements_, result.environment);
  result.before = judge(found);
  if (result.before == EnvironmentState::ready && !upgrade) {
    result.marker = *found.marker;
    auto added = add_models(result.environment, models);
    if (!added) return added.error();
    result.models = std::move(*added);
    return result;
  }
  remove_others(result.environment);
  std::uint64_t last = 0;
  for (const fs::path& folder : environments_in(place_.folder())) last = std::max(last, number_of(folder));
  const fs::path folder = place_.folder() / std::to_string(last + 1);
  auto made = make(folder, result.marker);
  if (made) {
    auto added = add_models(folder, models);
    if (added) result.models = std::move(*added);
    made = added ? make_current(place_, folder) : Result<void>(added.error());
  }
  if (!made) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return made.error();
  }
  result.made = true;
  result.environment = folder;
  result.kept = remove_others(folder);
  return result;
}

Result<bool> EnvironmentInstaller::remove() {
  std::error_code error;
  if (!fs::exists(place_.folder(), error)) return false;
  const auto held = lock();
  if (!held) return held.error();
  const auto environments = environments_in(place_.folder());
  const auto used = std::find_if(environments.begin(), environments.end(), is_in_use);
  if (used != environments.end()) {
    return Error{ErrorCode::overloaded, "a process still runs from " + used->string() + "; stop the adapter first"};
  }
  fs::remove_all(place_.folder(), error);
  if (error) return failed("cannot remove " + place_.folder().string() + ": " + error.message());
  return true;
}

std::vector<ModelCheck> check_models(const AdapterFolder& adapter, const fs::path& environment) {
  const auto path = environment.empty() ? std::vector<fs::path>{} : site_packages(environment);
  std::vector<ModelCheck> out;
  for (const ModelFile& model : adapter.models) {
    ModelCheck& check = out.emplace_back();
    check.name = model.name;
    check.file = model.package.empty() ? model.file : model.package + ":" + model.file;
    check.optional = model.optional;
    const auto file = find_model_file(model, adapter.folder, path);
    check.found = file.has_value();
    if (!file) continue;
    std::error_code ignored;
    const auto size = fs::file_size(*file, ignored);
    if (model.size && size != *model.size) {
      check.problem = "it has " + std::to_string(size) + " bytes, expected " + std::to_string(*model.size);
    } else if (!model.sha256.empty()) {
      const std::string sum = sha256_of_file(*file).value_or("(cannot be read)");
      if (sum != model.sha256) check.problem = "its SHA-256 is " + sum + ", expected " + model.sha256;
    }
  }
  return out;
}

}  // namespace pons
