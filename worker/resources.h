// Things that a worker keeps between requests under an id: models, programs, indexes (docs/protocol.md, section 5).
//
//   auto& models = worker.resource<Model>("model", {.create = [](const json& args) { return Model::train(args); },
//                                                   .execute = [](Model& model, const json& inputs) { return model.predict(inputs); },
//                                                   .describe = [](const Model& model) { return json{{"rows", model.rows()}}; }});
//
// Lifetime: a resource is destroyed by delete_resource, by cleanup, or with the worker. A reference to it is good until then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/error.h"
#include "worker/context.h"

namespace pons {

/// How one type of resource is made and used. What is left empty is not offered.
template <class T>
struct ResourceType {
  std::string description{};                                            ///< what it is, for get_info
  Handler<T(const nlohmann::json& args)> create{};                      ///< `create_<type>`
  Handler<nlohmann::json(T&, const nlohmann::json& inputs)> execute{};  ///< `execute_resource`; `inputs` is null if the request had none
  std::function<nlohmann::json(const T&)> describe{};  ///< an object, added to the reply of create and to each entry of the list
  nlohmann::json create_schema{};                      ///< JSON Schema of create's args, for get_info; null: none
};

/// An id that nobody else will ever have: `type-` and 128 random bits in hexadecimal.
std::string new_resource_id(std::string_view type);

/// What the worker needs of every type. Adapters use Resources<T>.
class ResourceStore {
 public:
  virtual ~ResourceStore() = default;
  ResourceStore(const ResourceStore&) = delete;
  ResourceStore& operator=(const ResourceStore&) = delete;

  [[nodiscard]] const std::string& type() const { return type_; }
  [[nodiscard]] virtual bool contains(std::string_view id) const = 0;
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// `{resource_id, type, ...describe()}`; resource_not_found (Exception) for an unknown id, as with all that follow.
  [[nodiscard]] virtual nlohmann::json describe(std::string_view id) const = 0;
  /// All of them, the oldest first.
  [[nodiscard]] virtual nlohmann::json list() const = 0;
  virtual nlohmann::json execute(std::string_view id, const nlohmann::json& inputs, Context& context) = 0;
  virtual void remove(std::string_view id) = 0;
  virtual std::size_t clear() = 0;  ///< how many there were

  [[noreturn]] static void throw_not_found(std::string_view id);

 protected:
  explicit ResourceStore(std::string type) : type_(std::move(type)) {}
  [[noreturn]] void throw_not_executable() const;
  [[nodiscard]] nlohmann::json entry(std::string_view id, nlohmann::json description) const;

 private:
  std::string type_;
};

/// The resources of one type. Used from the worker's handlers; not thread-safe.
template <class T>
class Resources final : public ResourceStore {
 public:
  Resources(std::string type, ResourceType<T> functions) : ResourceStore(std::move(type)), functions_(std::move(functions)) {}

  /// Keeps a value that came about otherwise than by create (load_model), and returns its new id. `describe(id)` is the reply that the
  /// host and the caller expect of a command whose name begins with `load_`.
  std::string add(T value) {
    std::string id = new_resource_id(type());
    items_.emplace(id, Item{next_++, std::move(value)});
    return id;
  }

  /// Throws resource_not_found for an unknown id.
  [[nodiscard]] T& get(std::string_view id) { return found(*this, id).value; }
  [[nodiscard]] const T& get(std::string_view id) const { return found(*this, id).value; }
  /// The same with `args.resource_id`; invalid_args if that is missing or no string.
  [[nodiscard]] T& get_from(const nlohmann::json& args) { return get(args.at("resource_id").get_ref<const std::string&>()); }

  [[nodiscard]] bool contains(std::string_view id) const override { return items_.find(id) != items_.end(); }
  [[nodiscard]] std::size_t size() const override { return items_.size(); }

  [[nodiscard]] nlohmann::json describe(std::string_view id) const override { return described(id, found(*this, id)); }

  [[nodiscard]] nlohmann::json list() const override {
    std::map<std::uint64_t, nlohmann::json> by_age;
    for (const auto& [id, item] : items_) by_age.emplace(item.order, described(id, item));
    nlohmann::json all = nlohmann::json::array();
    for (auto& [order, entry] : by_age) all.push_back(std::move(entry));
    return all;
  }

  nlohmann::json execute(std::string_view id, const nlohmann::json& inputs, Context& context) override {
    T& value = get(id);
    if (!functions_.execute) throw_not_executable();
    return functions_.execute(value, inputs, context);
  }

  void remove(std::string_view id) override {
    const auto at = items_.find(id);
    if (at == items_.end()) throw_not_found(id);
    items_.erase(at);
  }

  std::size_t clear() override {
    const std::size_t count = items_.size();
    items_.clear();
    return count;
  }

 private:
  struct Item {
    std::uint64_t order;  // of creation
    T value;
  };

  template <class Self>
  static auto& found(Self& self, std::string_view id) {
    const auto at = self.items_.find(id);
    if (at == self.items_.end()) throw_not_found(id);
    return at->second;
  }

  [[nodiscard]] nlohmann::json described(std::string_view id, const Item& item) const {
    return entry(id, functions_.describe ? functions_.describe(item.value) : nlohmann::json::object());
  }

  ResourceType<T> functions_;
  std::uint64_t next_ = 0;
  std::map<std::string, Item, std::less<>> items_;
};

}  // namespace pons
