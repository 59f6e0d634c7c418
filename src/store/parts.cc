#include "store/parts.h"

#include <algorithm>

#include "codec/record.h"
#include "store/keys.h"

namespace lockstep::store {
namespace {

using Change = env::KeyValue::Change;

constexpr size_t index_bytes = 8;
const std::string head_prefix = "head/";
const std::string part_prefix = "part/";

std::string parts_of(const Hash& address) {
  return key_of(part_prefix, address) + "/";
}

/// Big-endian, so that keys lie in the order of pieces.
std::string part_key(const Hash& address, uint64_t index) {
  std::string key = parts_of(address);
  for (size_t i = 0; i < index_bytes; ++i) {
    key.push_back(static_cast<char>(index >> (8 * (index_bytes - 1 - i)) & 0xff));
  }
  return key;
}

std::optional<uint64_t> index_of(const std::string& key) {
  if (key.size() != part_prefix.size() + sizeof(Hash) + 1 + index_bytes) {
    return std::nullopt;
  }
  uint64_t index = 0;
  for (size_t i = key.size() - index_bytes; i < key.size(); ++i) {
    index = index << 8 | static_cast<uint8_t>(key[i]);
  }
  return index;
}

}  // namespace

/// Heads that cannot be read, and pieces without a head, are deleted.
Result<void> Parts::load() {
  if (loaded_) {
    return {};
  }
  heads_.clear();
  used_bytes_ = 0;
  std::vector<Change> useless;
  for (const std::string& key : TRY(all_keys(blobs_.values(), head_prefix))) {
    const std::optional<Bytes> bytes = TRY(blobs_.values().get(key));
    const auto head = codec::decode<Head>(bytes.value_or(Bytes()));
    const std::optional<Hash> address = address_of(key, head_prefix);
    if (!head.ok() || !address || head->total > blob_bytes_max) {
      useless.push_back({key, std::nullopt});
      continue;
    }
    heads_[*address] = *head;
    used_bytes_ += head->total;
    orders_ = std::max(orders_, head->order);
  }
  for (const std::string& key : TRY(all_keys(blobs_.values(), part_prefix))) {
    const std::optional<Hash> address = address_of(key, part_prefix);
    if (!address || !heads_.contains(*address)) {
      useless.push_back({key, std::nullopt});
    }
  }
  if (!useless.empty()) {
    TRY(blobs_.values().apply(std::move(useless)));
  }
  loaded_ = true;
  return {};
}

Result<uint64_t> Parts::bytes_used() {
  TRY(load());
  return used_bytes_;
}

Result<std::optional<Piece>> Parts::read(const Hash& address, uint64_t index) {
  const std::optional<Bytes> bytes = TRY(blobs_.values().get(part_key(address, index)));
  auto piece = codec::decode<Piece>(bytes.value_or(Bytes()));
  return piece.ok() ? std::optional(std::move(piece).value()) : std::nullopt;
}

Result<std::vector<Change>> Parts::deletion(const Hash& address) {
  std::vector<Change> batch = {{key_of(head_prefix, address), std::nullopt}};
  const std::vector<std::string> keys = TRY(all_keys(blobs_.values(), parts_of(address)));
  batch.reserve(1 + keys.size());
  for (const std::string& key : keys) {
    batch.push_back({key, std::nullopt});
  }
  return batch;
}

Result<void> Parts::drop(const Hash& address) {
  TRY(blobs_.values().apply(TRY(deletion(address))));
  used_bytes_ -= heads_.at(address).total;
  heads_.erase(address);
  return {};
}

Result<void> Parts::make_room(uint64_t bytes) {
  TRY(blobs_.check_room(bytes));
  while (bytes > bytes_max_ || used_bytes_ > bytes_max_ - bytes) {
    std::optional<std::pair<uint64_t, Hash>> oldest;
    for (const auto& [address, head] : heads_) {
      if (!held_.contains(address) && (!oldest || head.order < oldest->first)) {
        oldest = {head.order, address};
      }
    }
    if (!oldest) {
      return refuse(Code::disk_full,
                    "there is no room for another unfinished blob",
                    "wait until others are here");
    }
    TRY(drop(oldest->second));
  }
  return {};
}

Result<std::optional<Parts::State>> Parts::resume(const Hash& address) {
  TRY(load());
  const auto head = heads_.find(address);
  if (head == heads_.end()) {
    return std::optional<State>();
  }
  State state;
  state.total = head->second.total;
  const uint64_t pieces = piece_count(state.total);
  const std::optional<Piece> last = TRY(read(address, pieces - 1));
  const bool proved =
      last &&
      check_piece(blobs_.mode(), address, state.total, pieces - 1, last->bytes, last->path).ok();
  if (!proved) {
    TRY(drop(address));
    return std::optional<State>();
  }
  for (uint64_t i = 0; i < pieces; ++i) {
    state.missing.insert(state.missing.end(), i);
  }
  for (const std::string& key : TRY(all_keys(blobs_.values(), parts_of(address)))) {
    state.missing.erase(index_of(key).value_or(pieces));
  }
  held_.insert(address);
  return std::optional(std::move(state));
}

Result<Parts::State> Parts::begin(const Hash& address, uint64_t total, const Piece& last) {
  TRY(load());
  if (heads_.contains(address)) {
    TRY(drop(address));
  }
  TRY(make_room(total));
  const uint64_t pieces = piece_count(total);
  const Head head{total, ++orders_};
  TRY(blobs_.values().apply({{key_of(head_prefix, address), codec::encode(head)},
                             {part_key(address, pieces - 1), codec::encode(last)}}));
  heads_[address] = head;
  used_bytes_ += total;
  held_.insert(address);
  State state{total, {}};
  for (uint64_t i = 0; i + 1 < pieces; ++i) {
    state.missing.insert(state.missing.end(), i);
  }
  return state;
}

Result<void> Parts::add(const Hash& address, uint64_t index, const Piece& piece) {
  return blobs_.values().apply({{part_key(address, index), codec::encode(piece)}});
}

/// Only when the whole does not have its hash; so the cost of looking at every piece is rare.
Result<std::set<uint64_t>> Parts::drop_changed(const Hash& address, uint64_t total) {
  std::set<uint64_t> missing;
  std::vector<Change> batch;
  for (uint64_t i = 0; i < piece_count(total); ++i) {
    const std::optional<Piece> piece = TRY(read(address, i));
    const bool good =
        piece && check_piece(blobs_.mode(), address, total, i, piece->bytes, piece->path).ok();
    if (!good) {
      missing.insert(i);
      batch.push_back({part_key(address, i), std::nullopt});
    }
  }
  TRY(blobs_.values().apply(std::move(batch)));
  return missing;
}

Result<std::set<uint64_t>> Parts::finish(const Hash& address) {
  TRY(load());
  const auto head = heads_.find(address);
  if (head == heads_.end()) {
    return refuse(Code::blob_missing, "no parts of this blob are here");
  }
  const uint64_t total = head->second.total;
  Bytes bytes;
  bytes.reserve(total);
  for (uint64_t i = 0; i < piece_count(total); ++i) {
    const std::optional<Piece> piece = TRY(read(address, i));
    if (piece) {
      bytes.insert(bytes.end(), piece->bytes.begin(), piece->bytes.end());
    }
  }
  const Result<void> put = blobs_.put_as(address, std::move(bytes), TRY(deletion(address)));
  if (!put.ok() && put.error().code == Code::wrong_hash) {
    return drop_changed(address, total);
  }
  TRY(put);
  used_bytes_ -= total;
  heads_.erase(head);
  held_.erase(address);
  return std::set<uint64_t>();
}

}  // namespace lockstep::store
