// A provider's receipts in a key-value store.
#include "node/provider_book.h"

namespace lockstep::node {
namespace {

constexpr const char* range_key = "tasks";
constexpr const char* range_copy_key = "tasks/copy";

std::string task_key(const model::TaskId& id) {
  return "task/" + to_hex(id.hash.view());
}

std::string order_key(uint64_t place) {
  return "order/" + std::to_string(place);
}

}  // namespace

void ProviderBook::write_range(std::vector<env::KeyValue::Change>& batch, const Range& range) {
  batch.push_back({range_key, codec::encode(range)});
  batch.push_back({range_copy_key, codec::encode(range)});
}

Result<std::optional<ProviderBook::Range>> ProviderBook::read_range() {
  std::optional<Error> unreadable;
  for (const char* const key : {range_key, range_copy_key}) {
    const auto bytes = values_->get(key);
    if (bytes.ok() && *bytes) {
      return std::optional<Range>(TRY(codec::decode<Range>(**bytes)));
    }
    if (!bytes.ok()) {
      unreadable = bytes.error();
    }
  }
  if (unreadable) {
    return *unreadable;
  }
  return std::optional<Range>();
}

/// A place whose records cannot be read is passed over: that receipt is lost to this node, not the
/// others. Its requester has it too, and its salt follows from its id.
Result<std::optional<KeptTask>> ProviderBook::read_place(uint64_t place) {
  const auto id_bytes = values_->get(order_key(place));
  if (!id_bytes.ok() || !*id_bytes) {
    return std::optional<KeptTask>();  // unreadable, or erased
  }
  const auto id = TRY(codec::decode<model::TaskId>(**id_bytes));
  const auto bytes = values_->get(task_key(id));
  if (!bytes.ok()) {
    return std::optional<KeptTask>();
  }
  if (!*bytes) {
    return refuse(Code::bad_data, "a task's record is missing from the store", {}, task_key(id));
  }
  auto task = TRY(codec::decode<KeptTask>(**bytes));
  order_[place] = id;
  place_[id] = place;
  return std::optional(std::move(task));
}

Result<std::vector<KeptTask>> ProviderBook::load() {
  std::vector<KeptTask> tasks;
  const std::optional<Range> range = TRY(read_range());
  if (!range) {
    return tasks;
  }
  next_ = range->next;
  for (uint64_t place = range->first; place < range->next; ++place) {
    std::optional<KeptTask> task = TRY(read_place(place));
    if (task) {
      tasks.push_back(std::move(*task));
    }
  }
  return tasks;
}

Result<void> ProviderBook::add(const KeptTask& task) {
  const model::TaskId id = model::task_id(task.assignment);
  const uint64_t first = order_.empty() ? next_ : order_.begin()->first;
  std::vector<env::KeyValue::Change> batch = {{task_key(id), codec::encode(task)},
                                              {order_key(next_), codec::encode(id)}};
  write_range(batch, {first, next_ + 1});
  TRY(values_->apply(std::move(batch)));
  order_[next_] = id;
  place_[id] = next_;
  ++next_;
  return {};
}

Result<void> ProviderBook::change(const KeptTask& task) {
  return values_->apply({{task_key(model::task_id(task.assignment)), codec::encode(task)}});
}

Result<void> ProviderBook::erase(const std::vector<model::TaskId>& tasks) {
  std::map<uint64_t, model::TaskId> left = order_;
  std::vector<env::KeyValue::Change> batch;
  for (const model::TaskId& id : tasks) {
    const auto place = place_.find(id);
    if (place != place_.end()) {
      batch.push_back({task_key(id), std::nullopt});
      batch.push_back({order_key(place->second), std::nullopt});
      left.erase(place->second);
    }
  }
  if (batch.empty()) {
    return {};
  }
  write_range(batch, {left.empty() ? next_ : left.begin()->first, next_});
  TRY(values_->apply(std::move(batch)));
  order_ = std::move(left);
  for (const model::TaskId& id : tasks) {
    place_.erase(id);
  }
  return {};
}

}  // namespace lockstep::node
