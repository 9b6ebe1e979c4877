#include "host/config/worker_env.h"

#include <algorithm>
#include <array>
#include <map>

namespace pons {
namespace {

constexpr std::array kBase{"PATH",
                           "HOME",
                           "LANG",
                           "LC_ALL",
                           "TZ",
                           "TMPDIR",
                           "http_proxy",
                           "HTTP_PROXY",
                           "https_proxy",
                           "HTTPS_PROXY",
                           "all_proxy",
                           "ALL_PROXY",
                           "no_proxy",
                           "NO_PROXY",
                           "ftp_proxy",
                           "FTP_PROXY",
                           "SSL_CERT_FILE",
                           "SSL_CERT_DIR",
                           "REQUESTS_CA_BUNDLE",
                           "CURL_CA_BUNDLE",
                           "NODE_EXTRA_CA_CERTS"};

constexpr std::array<std::string_view, 5> kReserved{"PONS_FD", "PONS_DUMP_FD", "PONS_WORKER_ID", "PONS_ADAPTER", "PONS_INSTANCE"};

}  // namespace

Environment worker_environment(const EnvLookup& host, const std::vector<std::string>& passthrough, const Environment& own) {
  std::map<std::string, std::string> all;
  const auto hand_on = [&](const std::string& name) {
    if (const auto value = host(name)) all[name] = *value;
  };
  for (const char* name : kBase) hand_on(name);
  for (const std::string& name : passthrough) hand_on(name);
  for (const auto& [name, value] : own) all[name] = value;
  return {all.begin(), all.end()};
}

bool is_reserved_variable(std::string_view name) { return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end(); }

}  // namespace pons
