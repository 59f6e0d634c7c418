// A requester's promises and results in a key-value store, every record twice.
#include "node/requester_book.h"

namespace lockstep::node {
namespace {

constexpr const char* job_key = "job";
constexpr const char* ids_key = "ids";
constexpr const char* placed_prefix = "placed/";
constexpr const char* accepted_prefix = "accepted/";
constexpr size_t keys_at_once = 1024;

std::string twin_of(const std::string& key) {
  return "twin/" + key;
}

std::string hex_of(uint32_t number) {
  std::string text(8, '0');
  for (size_t at = text.size(); number > 0; number /= 16) {
    text[--at] = "0123456789abcdef"[number % 16];
  }
  return text;
}

/// Keys in the order of the tags.
std::string key_of(const char* prefix, const model::TaskTag& tag) {
  return prefix + hex_of(static_cast<uint32_t>(tag.kind)) + "-" + hex_of(tag.round) + "-" +
         hex_of(tag.part);
}

}  // namespace

void RequesterBook::put(Batch& batch, const std::string& key, const Bytes& value) {
  batch.push_back({key, value});
  batch.push_back({twin_of(key), value});
}

void RequesterBook::erase(Batch& batch, const std::string& key) {
  batch.push_back({key, std::nullopt});
  batch.push_back({twin_of(key), std::nullopt});
}

/// A record that is read from its twin is written again: the next bit that rots must find two.
Result<std::optional<Bytes>> RequesterBook::read(const std::string& key) {
  auto first = values_->get(key);
  if (first.ok() && *first) {
    if (!values_->get(twin_of(key)).ok()) {
      (void)values_->apply({{twin_of(key), **first}});
    }
    return first;
  }
  auto twin = values_->get(twin_of(key));
  if (twin.ok() && *twin) {
    (void)values_->apply({{key, **twin}});
    return twin;
  }
  if (!first.ok()) {
    return first.error();
  }
  if (!twin.ok()) {
    return twin.error();
  }
  return std::optional<Bytes>();
}

template <class T>
Result<std::vector<T>> RequesterBook::read_all(const std::string& prefix) {
  std::vector<T> records;
  std::string after;
  while (true) {
    const auto keys = TRY(values_->keys(prefix, after, keys_at_once));
    for (const std::string& key : keys) {
      if (const auto bytes = TRY(read(key))) {
        records.push_back(TRY(codec::decode<T>(*bytes)));
      }
    }
    if (keys.size() < keys_at_once) {
      return records;
    }
    after = keys.back();
  }
}

Result<RequesterBook::Kept> RequesterBook::load() {
  Kept kept;
  if (const auto job = TRY(read(job_key))) {
    kept.job = TRY(codec::decode<KeptJob>(*job));
  }
  if (const auto ids = TRY(read(ids_key))) {
    kept.next_id = TRY(codec::decode<uint64_t>(*ids));
  }
  kept.placed = TRY(read_all<model::Signed>(placed_prefix));
  kept.accepted = TRY(read_all<KeptResult>(accepted_prefix));
  return kept;
}

Result<void> RequesterBook::write_job(const KeptJob& job) {
  Batch batch;
  put(batch, job_key, codec::encode(job));
  return values_->apply(std::move(batch));
}

Result<void> RequesterBook::place(const model::TaskTag& tag,
                                  const model::Signed& assignment,
                                  uint64_t next_id) {
  Batch batch;
  put(batch, key_of(placed_prefix, tag), codec::encode(assignment));
  put(batch, ids_key, codec::encode(next_id));
  return values_->apply(std::move(batch));
}

Result<void> RequesterBook::accept(const model::TaskTag& tag,
                                   const KeptResult& result,
                                   uint64_t next_id) {
  Batch batch;
  put(batch, key_of(accepted_prefix, tag), codec::encode(result));
  put(batch, ids_key, codec::encode(next_id));
  erase(batch, key_of(placed_prefix, tag));
  return values_->apply(std::move(batch));
}

Result<void> RequesterBook::forget(std::span<const model::TaskTag> tags) {
  Batch batch;
  for (const model::TaskTag& tag : tags) {
    erase(batch, key_of(accepted_prefix, tag));
    erase(batch, key_of(placed_prefix, tag));
  }
  return batch.empty() ? Result<void>() : values_->apply(std::move(batch));
}

}  // namespace lockstep::node
