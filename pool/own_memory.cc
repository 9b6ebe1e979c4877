#include "pool/own_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/transport/unique_fd.h"

namespace pons {

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHasSanitizer = true;
#else
constexpr bool kHasSanitizer = false;
#endif

constexpr std::uintptr_t kLargeFrom = 1u << 20;  // bytes: smaller mappings are not worth it

/// Fields of /proc/self/stat, counted from the state, which follows the name.
constexpr int kArgStart = 45;
constexpr int kEnvEnd = 48;

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] bool holds(const void* address) const {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return begin <= at && at < end;
  }
  [[nodiscard]] char* data() const { return reinterpret_cast<char*>(begin); }
  [[nodiscard]] std::size_t size() const { return end - begin; }
};

/// The range if the line of /proc/self/maps is one of a private, writable, anonymous mapping or of the heap.
bool anonymous(std::string_view line, Range& range) {
  const char* const end = line.data() + line.size();
  auto at = std::from_chars(line.data(), end, range.begin, 16);
  if (at.ec != std::errc() || at.ptr == end) return false;
  at = std::from_chars(at.ptr + 1, end, range.end, 16);
  if (at.ec != std::errc()) return false;
  const std::string_view rest(at.ptr, static_cast<std::size_t>(end - at.ptr));
  if (!rest.starts_with(" rw-p ")) return false;
  const auto path = rest.find_first_of("/[");
  return path == std::string_view::npos || rest.substr(path) == "[heap]" || rest.substr(path).starts_with("[anon");
}

void give_back(std::string_view line) {
  Range range;
  const char here = 0;
  if (!anonymous(line, range) || range.size() < kLargeFrom) return;
  if (range.holds(&here)) return;  // the stack of a thread
  // What a thread has for itself, and the loader has for all, came first: what came later lies below it, perhaps in the same range.
  if (range.holds(&errno)) {
    const auto own = reinterpret_cast<std::uintptr_t>(&errno) & ~(kLargeFrom - 1);
    if (own < range.begin + 2 * kLargeFrom) return;
    range.end = own - kLargeFrom;
  }
  ::madvise(range.data(), range.size(), MADV_DONTNEED);
}

}  // namespace

void clear_environment(const char* title) {
  const UniqueFd file(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
  if (!file) return;
  std::array<char, 1024> buffer{};
  const auto n = ::read(file.get(), buffer.data(), buffer.size());
  if (n <= 0) return;
  const std::string_view line(buffer.data(), static_cast<std::size_t>(n));
  const auto name_end = line.rfind(") ");
  if (name_end == std::string_view::npos) return;
  auto rest = line.substr(name_end + 2);
  std::array<std::uintptr_t, kEnvEnd + 1> fields{};
  for (auto& field : fields) {
    std::from_chars(rest.data(), rest.data() + rest.size(), field);
    rest.remove_prefix(std::min(rest.find(' '), rest.size() - 1) + 1);
  }
  const Range arguments{fields[kArgStart], fields[kArgStart + 1]};
  const Range environment{fields[kEnvEnd - 1], fields[kEnvEnd]};
  if (arguments.begin == 0 || environment.begin == 0) return;
  std::memset(environment.data(), 0, environment.size());
  std::memset(arguments.data(), 0, arguments.size());
  std::memcpy(arguments.data(), title, std::min(std::strlen(title), arguments.size() - 1));
}

void give_back_memory() {
  if (kHasSanitizer) return;
  const UniqueFd file(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  std::array<char, 8192> buffer;
  std::size_t have = 0;
  while (true) {
    const auto n = ::read(file.get(), buffer.data() + have, buffer.size() - have);
    if (n <= 0) return;
    have += static_cast<std::size_t>(n);
    std::string_view rest(buffer.data(), have);
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      give_back(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    if (rest.size() == buffer.size()) return;  // no path is so long
    std::memmove(buffer.data(), rest.data(), rest.size());
    have = rest.size();
  }
}

}  // namespace pons
