#include "worker/resources.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace pons {

std::string new_resource_id(std::string_view type) {
  std::array<unsigned char, 16> random{};
  // Up to 256 bytes come whole, once the kernel's generator is seeded, whatever signals arrive.
  if (getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id(type);
  id += '-';
  for (const unsigned char byte : random) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

void ResourceStore::throw_not_found(std::string_view id) {
  throw Exception(Error{ErrorCode::resource_not_found, "Unknown resource: " + std::string(id), {{"resource_id", id}}});
}

void ResourceStore::throw_not_executable() const { throw Exception(ErrorCode::invalid_args, "A " + type_ + " cannot be executed"); }

nlohmann::json ResourceStore::entry(std::string_view id, nlohmann::json description) const {
  if (!description.is_object()) throw std::logic_error("describe of resource type " + type_ + " returned no object");
  description["resource_id"] = id;
  description["type"] = type_;
  return description;
}

}  // namespace pons
