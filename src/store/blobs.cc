// Blobs, the index of their sizes, and which of them may go. Every change is one batch; what is in
// memory follows only after it.
#include "store/blobs.h"

#include <algorithm>
#include <set>

#include "base/mutant.h"
#include "codec/record.h"
#include "store/keys.h"

namespace lockstep::store {
namespace {

using Change = env::KeyValue::Change;

constexpr size_t collected_max = 256;  // blobs deleted in one batch

const std::string blob_prefix = "blob/";
const std::string size_prefix = "size/";
const std::string pin_prefix = "pin/";

}  // namespace

// ---- the index

void Blobs::enter(const Hash& address, const Entry& entry) {
  leave(address);
  entries_[address] = entry;
  by_use_[entry.used] = address;
  used_bytes_ += entry.bytes;
}

void Blobs::leave(const Hash& address) {
  const auto found = entries_.find(address);
  if (found == entries_.end()) {
    return;
  }
  used_bytes_ -= found->second.bytes;
  by_use_.erase(found->second.used);
  entries_.erase(found);
}

void Blobs::touch(const Hash& address) {
  const auto found = entries_.find(address);
  if (found != entries_.end()) {
    by_use_.erase(found->second.used);
    found->second.used = ++uses_;
    by_use_[uses_] = address;
  }
}

Result<std::optional<Blobs::Entry>> Blobs::read_entry(const Hash& address) {
  const std::optional<Bytes> bytes = TRY(values_.get(key_of(size_prefix, address)));
  if (!bytes) {
    return std::optional<Entry>();
  }
  const auto entry = codec::decode<Entry>(*bytes);
  return entry.ok() ? std::optional(*entry) : std::nullopt;
}

/// Blobs whose size is not there or not readable are counted anew.
Result<void> Blobs::load_sizes() {
  std::vector<std::pair<uint64_t, std::pair<Hash, uint64_t>>> found;  // by use
  std::set<Hash> known;
  for (const std::string& key : TRY(all_keys(values_, size_prefix))) {
    const std::optional<Hash> address = address_of(key, size_prefix);
    const std::optional<Entry> entry = address ? TRY(read_entry(*address)) : std::nullopt;
    if (entry) {
      found.push_back({entry->used, {*address, entry->bytes}});
      known.insert(*address);
    }
  }
  for (const std::string& key : TRY(all_keys(values_, blob_prefix))) {
    const std::optional<Hash> address = address_of(key, blob_prefix);
    if (!address || known.contains(*address)) {
      continue;
    }
    const std::optional<Bytes> bytes = TRY(values_.get(key));
    if (bytes) {
      TRY(values_.apply({{key_of(size_prefix, *address), codec::encode(Entry{bytes->size(), 0})}}));
      found.push_back({0, {*address, bytes->size()}});
    }
  }
  std::sort(found.begin(), found.end());
  // Several objects over one store may have given the same number: the order is all that matters.
  for (const auto& [used, blob] : found) {
    uses_ = std::max(uses_ + 1, used);
    enter(blob.first, {blob.second, uses_});
  }
  return {};
}

/// A list that cannot be read pins nothing: its owner pins again, or fetches.
Result<void> Blobs::load_pins() {
  for (const std::string& key : TRY(all_keys(values_, pin_prefix))) {
    const std::optional<Bytes> bytes = TRY(values_.get(key));
    const auto addresses = codec::decode<std::vector<Hash>>(bytes.value_or(Bytes()));
    const std::string name = key.substr(pin_prefix.size());
    pins_[name] = addresses.ok() ? *addresses : std::vector<Hash>();
    count_pins(pins_[name], true);
  }
  return {};
}

Result<void> Blobs::load() {
  if (loaded_) {
    return {};
  }
  // What an attempt that failed half-way has left.
  uses_ = 0;
  used_bytes_ = 0;
  entries_.clear();
  by_use_.clear();
  pins_.clear();
  pinned_.clear();
  TRY(load_sizes());
  TRY(load_pins());
  loaded_ = true;
  return {};
}

Result<uint64_t> Blobs::bytes_used() {
  TRY(load());
  return used_bytes_;
}

Result<void> Blobs::check_room(uint64_t bytes) {
  TRY(load());
  if (bytes > bytes_max_ || used_bytes_ > bytes_max_ - bytes) {
    return refuse(Code::disk_full,
                  "the store for blobs has no room for " + std::to_string(bytes) + " bytes",
                  "wait until a job is settled, or allow it more space");
  }
  return {};
}

// ---- blobs

Result<void> Blobs::write(const std::vector<Hash>& addresses,
                          std::vector<Bytes> blobs,
                          std::vector<Change> more) {
  TRY(load());
  std::map<Hash, Entry> fresh;
  std::vector<Change> batch;
  batch.reserve(more.size() + 2 * blobs.size());
  uint64_t new_bytes = 0;
  for (size_t i = 0; i < blobs.size(); ++i) {
    const Entry entry{blobs[i].size(), ++uses_};
    if (fresh.emplace(addresses[i], entry).second) {
      new_bytes += entries_.contains(addresses[i]) ? 0 : entry.bytes;
      batch.push_back({key_of(blob_prefix, addresses[i]), std::move(blobs[i])});
      batch.push_back({key_of(size_prefix, addresses[i]), codec::encode(entry)});
    }
  }
  if (new_bytes > 0) {
    TRY(check_room(new_bytes));
  }
  std::move(more.begin(), more.end(), std::back_inserter(batch));
  TRY(values_.apply(std::move(batch)));
  for (const auto& [address, entry] : fresh) {
    enter(address, entry);
  }
  return {};
}

Result<Hash> Blobs::put(Bytes bytes) {
  std::vector<Bytes> one;
  one.push_back(std::move(bytes));
  return TRY(put_all(std::move(one))).front();
}

Result<std::vector<Hash>> Blobs::put_all(std::vector<Bytes> blobs) {
  std::vector<Hash> addresses;
  addresses.reserve(blobs.size());
  for (const Bytes& bytes : blobs) {
    addresses.push_back(crypto::hash(mode_, bytes));
  }
  TRY(write(addresses, std::move(blobs), {}));
  return addresses;
}

Result<void> Blobs::put_as(const Hash& address, Bytes bytes, std::vector<Change> changes) {
  if (crypto::hash(mode_, bytes) != address) {
    return refuse(Code::wrong_hash, "the bytes are another blob's");
  }
  std::vector<Bytes> one;
  one.push_back(std::move(bytes));
  return write({address}, std::move(one), std::move(changes));
}

Result<Bytes> Blobs::read(const Hash& address) {
  std::optional<Bytes> found = TRY(values_.get(key_of(blob_prefix, address)));
  if (!found) {
    return refuse(Code::blob_missing, "the blob is not in this store", {}, to_hex(address.view()));
  }
  touch(address);
  return std::move(*found);
}

/// Gone, so that has() does not promise it and put() brings it back.
Error Blobs::rotten(const Hash& address) {
  const auto deleted = values_.apply(
      {{key_of(blob_prefix, address), std::nullopt}, {key_of(size_prefix, address), std::nullopt}});
  if (deleted.ok()) {
    leave(address);
  }
  return refuse(Code::wrong_hash,
                "the blob's bytes do not have its hash",
                "fetch it again",
                to_hex(address.view()));
}

Result<Bytes> Blobs::get(const Hash& address) {
  Bytes bytes = TRY(read(address));
  if (crypto::hash(mode_, bytes) != address && !is_mutated(Mutant::blob_not_checked)) {
    return rotten(address);
  }
  return bytes;
}

Result<Blobs::Opened> Blobs::open(const Hash& address) {
  Bytes bytes = TRY(read(address));
  PieceTree tree(mode_, bytes);
  if (tree.root() != address && !is_mutated(Mutant::blob_not_checked)) {
    return rotten(address);
  }
  return Opened{std::move(bytes), std::move(tree)};
}

Result<bool> Blobs::has(const Hash& address) {
  return TRY(values_.get(key_of(size_prefix, address))).has_value();
}

// ---- what stays and what goes

void Blobs::count_pins(const std::vector<Hash>& addresses, bool add) {
  for (const Hash& address : addresses) {
    uint32_t& count = pinned_[address];
    count = add ? count + 1 : count - 1;
    if (count == 0) {
      pinned_.erase(address);
    }
  }
}

Result<void> Blobs::learn(const std::vector<Hash>& addresses) {
  TRY(load());
  for (const Hash& address : addresses) {
    const std::optional<Entry> entry =
        entries_.contains(address) ? std::nullopt : TRY(read_entry(address));
    if (entry) {
      enter(address, {entry->bytes, ++uses_});
    } else {
      touch(address);
    }
  }
  return {};
}

Result<void> Blobs::pin(const std::string& name, std::vector<Hash> addresses) {
  TRY(learn(addresses));
  const auto before = pins_.find(name);
  if (before != pins_.end() && before->second == addresses) {
    return {};
  }
  TRY(values_.apply({{pin_prefix + name, codec::encode(addresses)}}));
  count_pins(addresses, true);
  if (before != pins_.end()) {
    count_pins(before->second, false);
  }
  pins_[name] = std::move(addresses);
  return {};
}

Result<void> Blobs::unpin(const std::string& name) {
  TRY(load());
  const auto found = pins_.find(name);
  if (found == pins_.end()) {
    return {};
  }
  TRY(values_.apply({{pin_prefix + name, std::nullopt}}));
  count_pins(found->second, false);
  pins_.erase(found);
  return {};
}

Result<std::vector<std::string>> Blobs::pins(const std::string& prefix) {
  TRY(load());
  std::vector<std::string> names;
  for (auto at = pins_.lower_bound(prefix); at != pins_.end() && at->first.starts_with(prefix);
       ++at) {
    names.push_back(at->first);
  }
  return names;
}

Result<uint64_t> Blobs::collect(uint64_t bytes_target) {
  TRY(load());
  std::vector<Hash> gone;
  uint64_t freed = 0;
  for (const auto& [used, address] : by_use_) {
    if (used_bytes_ - freed <= bytes_target) {
      break;
    }
    if (!pinned_.contains(address)) {
      gone.push_back(address);
      freed += entries_.at(address).bytes;
    }
  }
  for (size_t begin = 0; begin < gone.size(); begin += collected_max) {
    const size_t end = std::min(begin + collected_max, gone.size());
    std::vector<Change> batch;
    batch.reserve(2 * (end - begin));
    for (size_t i = begin; i < end; ++i) {
      batch.push_back({key_of(blob_prefix, gone[i]), std::nullopt});
      batch.push_back({key_of(size_prefix, gone[i]), std::nullopt});
    }
    TRY(values_.apply(std::move(batch)));
    for (size_t i = begin; i < end; ++i) {
      leave(gone[i]);
    }
  }
  return freed;
}

Result<uint64_t> Blobs::tidy() {
  const uint64_t used = TRY(bytes_used());
  if (bytes_max_ == unlimited || used <= bytes_max_ - bytes_max_ / 8) {
    return 0;
  }
  return collect(bytes_max_ / 4 * 3);
}

}  // namespace lockstep::store
