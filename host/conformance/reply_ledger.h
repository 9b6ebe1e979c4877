// What may come on a worker's channel: knows which requests are outstanding, and judges each frame. Entirely passive.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/codec.h"

namespace pons::conformance {

class ReplyLedger {
 public:
  struct Request {
    nlohmann::json id;  ///< an integer or a string
    std::string command;
    Codec codec = Codec::json;
    bool stream = false;
  };
  /// A rule that a frame has broken, and how.
  struct Fault {
    std::string_view rule;
    std::string seen;
  };
  struct Judged {
    enum class Kind : unsigned char { terminal, partial, reverse_request, fault };
    Kind kind = Kind::fault;
    nlohmann::json id{};        ///< of the request that it is about
    nlohmann::json document{};  ///< the whole frame
    Fault fault{};
  };

  /// Above level 0 more is allowed and more is asked of errors.
  void set_level(int level) { level_ = level; }
  void sent(Request request);
  Judged judge(std::string_view body);

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.size(); }
  [[nodiscard]] std::size_t partials() const { return partials_; }
  [[nodiscard]] std::size_t reverse_requests() const { return reverse_requests_; }

 private:
  struct Open {
    Request request;
    std::uint64_t next_seq = 0;
  };
  std::vector<Open>::iterator find(const nlohmann::json& id);
  Judged judge_reverse(const nlohmann::json& document);
  Judged judge_unknown_id(const nlohmann::json& id) const;
  std::optional<Fault> judge_partial(Open& open, const nlohmann::json& document) const;
  [[nodiscard]] std::optional<Fault> judge_terminal(const nlohmann::json& document) const;

  int level_ = 0;
  std::vector<Open> outstanding_;
  std::vector<Request> answered_;
  std::size_t partials_ = 0;
  std::size_t reverse_requests_ = 0;
};

/// Short, for a sentence: `"text"`, 7, {...}.
std::string shown(const nlohmann::json& value);
/// Bytes as text, shortened.
std::string shown_bytes(std::string_view bytes);

}  // namespace pons::conformance
