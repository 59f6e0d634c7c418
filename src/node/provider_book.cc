// A provider's receipts in a key-value store.
#include "node/provider_book.h"

namespace lockstep::node {
namespace {

constexpr const char* range_key = "tasks";

std::string task_key(const model::TaskId& id) {
  return "task/" + to_hex(id.hash.view());
}

std::string order_key(uint64_t place) {
  return "order/" + std::to_string(place);
}

}  // namespace

env::KeyValue::Change ProviderBook::range_change(const Range& range) {
  return {range_key, codec::encode(range)};
}

Result<std::vector<KeptTask>> ProviderBook::load() {
  std::vector<KeptTask> tasks;
  const std::optional<Bytes> range_bytes = TRY(values_->get(range_key));
  if (!range_bytes) {
    return tasks;
  }
  const Range range = TRY(codec::decode<Range>(*range_bytes));
  next_ = range.next;
  for (uint64_t place = range.first; place < range.next; ++place) {
    const std::optional<Bytes> id_bytes = TRY(values_->get(order_key(place)));
    if (!id_bytes) {
      continue;  // erased
    }
    const auto id = TRY(codec::decode<model::TaskId>(*id_bytes));
    const std::optional<Bytes> bytes = TRY(values_->get(task_key(id)));
    if (!bytes) {
      return refuse(Code::bad_data, "a task's record is missing from the store", {}, task_key(id));
    }
    tasks.push_back(TRY(codec::decode<KeptTask>(*bytes)));
    order_[place] = id;
    place_[id] = place;
  }
  return tasks;
}

Result<void> ProviderBook::add(const KeptTask& task) {
  const model::TaskId id = model::task_id(task.assignment);
  const uint64_t first = order_.empty() ? next_ : order_.begin()->first;
  TRY(values_->apply({{task_key(id), codec::encode(task)},
                      {order_key(next_), codec::encode(id)},
                      range_change({first, next_ + 1})}));
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
  batch.push_back(range_change({left.empty() ? next_ : left.begin()->first, next_}));
  TRY(values_->apply(std::move(batch)));
  order_ = std::move(left);
  for (const model::TaskId& id : tasks) {
    place_.erase(id);
  }
  return {};
}

}  // namespace lockstep::node
