// Names, hashes and bytes of recorded entries.
#include "sim/recorded_entry.h"

#include <algorithm>

#include "crypto/blake3.h"
#include "sim/recorded_fields.h"

namespace lockstep::sim {
namespace {

constexpr size_t check_bytes = 4;
constexpr size_t keys_at_once = 1000;
constexpr size_t kept_part_bytes = size_t{1} << 20;
const std::string blob_prefix = "blob/";
const std::string size_prefix = "size/";

const crypto::Mode& entry_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 recorded entry");
  return mode;
}

template <class T>
Hash hash_of(const T& value) {
  codec::Writer writer;
  fields::put_any(writer, value);
  return crypto::hash(entry_mode(), writer.bytes());
}

constexpr std::array message_names = {"SubmitTransaction",
                                      "FollowBlocks",
                                      "Blocks",
                                      "AskQuote",
                                      "GiveQuote",
                                      "Assign",
                                      "CancelTask",
                                      "Decline",
                                      "Deliver",
                                      "GiveVoucher",
                                      "Alive",
                                      "AskBlob",
                                      "GiveBlob",
                                      "AskGenesis",
                                      "GiveGenesis"};

std::string message_name(size_t index) {
  return index < message_names.size() ? message_names.at(index) : "unknown";
}

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

/// Calls `see` with every key that tells something; of blobs with their sizes' keys.
template <class See>
Result<void> each_key(env::KeyValue& store, const See& see) {
  std::string after;
  while (true) {
    const std::vector<std::string> keys = TRY(store.keys("", after, keys_at_once));
    for (const std::string& key : keys) {
      after = key;
      if (key.starts_with(blob_prefix)) {
        after = blob_prefix + std::string(64, '\xff');
        break;
      }
      TRY(see(key));
    }
    if (keys.empty()) {
      return {};
    }
  }
}

}  // namespace

bool is_input(const RecordedEntry& entry) {
  return std::visit(
      [](const auto& chosen) {
        return requires {
          chosen.now_ms;
        };
      },
      entry);
}

uint64_t time_of(const RecordedEntry& entry) {
  return std::visit(
      [](const auto& chosen) -> uint64_t {
        if constexpr (requires { chosen.now_ms; }) {
          return chosen.now_ms;
        } else {
          return 0;
        }
      },
      entry);
}

std::string name_of(const RecordedEntry& entry) {
  static constexpr std::array<const char*, std::variant_size_v<RecordedEntry>> names = {
      "birth",
      "store's first state",
      "start",
      "message ",
      "timer",
      "work done",
      "owner's signature",
      "list of providers",
      "effects",
      "failure of the store",
      "worker's write",
      "worker's failed write",
      "hours",
      "end"};
  const auto* const message = std::get_if<MessageCame>(&entry);
  return names.at(entry.index()) +
         (message != nullptr ? message_name(message->message.index()) : std::string());
}

std::string name_of(const EffectMark& mark) {
  static constexpr std::array<const char*, std::variant_size_v<node::Effect>> names = {
      "send ", "timer", "task", "question to the owner", "notice ", "search for providers"};
  if (mark.kind >= names.size()) {
    return "unknown effect";
  }
  const std::string name = names.at(mark.kind);
  if (mark.kind == 0) {
    return name + message_name(mark.part);
  }
  return name.back() == ' ' ? name + std::to_string(mark.part) : name;
}

EffectMark mark_of(const node::Effect& effect) {
  EffectMark mark;
  mark.kind = static_cast<uint8_t>(effect.index());
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    mark.part = static_cast<uint8_t>(sent->message.index());
  } else if (const auto* const tell = std::get_if<node::Tell>(&effect)) {
    mark.part = static_cast<uint8_t>(tell->notice.index());
  }
  mark.hash = hash_of(effect);
  return mark;
}

Hash result_hash(const node::WorkDone& done) {
  codec::Writer writer;
  writer.number(static_cast<uint8_t>(done.result.ok() ? 1 : 0));
  if (done.result.ok()) {
    fields::put_any(writer, *done.result);
  } else {
    codec::put(writer, recorded(done.result.error()));
  }
  return crypto::hash(entry_mode(), writer.bytes());
}

Hash message_hash(const crypto::PublicKey& from,
                  const crypto::PublicKey& to,
                  const net::Message& message) {
  codec::Writer writer;
  fields::put_each(writer, from, to, message);
  return crypto::hash(entry_mode(), writer.bytes());
}

RecordedError recorded(const Error& error) {
  return {static_cast<uint16_t>(error.code), error.where, error.what, error.next};
}

Error error_of(const RecordedError& error) {
  return Error{static_cast<Code>(error.code), error.where, error.what, error.next};
}

std::optional<Hash> blob_of(const std::string& key) {
  Hash address;
  if (!key.starts_with(blob_prefix) || key.size() != blob_prefix.size() + address.bytes.size()) {
    return std::nullopt;
  }
  std::copy(
      key.begin() + static_cast<ptrdiff_t>(blob_prefix.size()), key.end(), address.bytes.begin());
  return address;
}

Result<Hash> store_digest(env::KeyValue& store) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 recorded store");
  crypto::Hasher hasher(mode);
  TRY(each_key(store, [&](const std::string& key) -> Result<void> {
    codec::Writer writer;
    writer.string(std::string_view(key));
    writer.string(ByteView(TRY(store.get(key)).value_or(Bytes())));
    hasher.update(writer.bytes());
    return {};
  }));
  return hasher.finish();
}

Result<std::vector<Kept>> store_snapshot(env::KeyValue& store) {
  std::vector<Kept> snapshot;
  TRY(each_key(store, [&](const std::string& key) -> Result<void> {
    if (key.starts_with(size_prefix)) {
      snapshot.push_back({bytes_of(blob_prefix + key.substr(size_prefix.size())), {}});
    }
    const Bytes value = TRY(store.get(key)).value_or(Bytes());
    size_t at = 0;
    do {
      const size_t size = std::min(kept_part_bytes, value.size() - at);
      const ByteView part = ByteView(value).subspan(at, size);
      snapshot.push_back({bytes_of(key), Bytes(part.begin(), part.end())});
      at += size;
    } while (at < value.size());
    return {};
  }));
  return snapshot;
}

Bytes framed(const RecordedEntry& entry) {
  const Bytes payload = codec::encode(entry);
  codec::Writer writer;
  writer.number(static_cast<uint32_t>(payload.size()));
  const Hash check = crypto::hash(entry_mode(), payload);
  writer.raw(check.view().first(check_bytes));
  writer.raw(payload);
  return std::move(writer).bytes();
}

Result<std::optional<RecordedEntry>> EntryReader::torn() {
  torn_ = true;
  return std::optional<RecordedEntry>();
}

Result<std::optional<RecordedEntry>> EntryReader::next() {
  const auto damaged = [&] {
    return refuse(Code::bad_folder,
                  "the record is damaged at entry " + std::to_string(count_ + 1),
                  "only a record as the node wrote it can be replayed");
  };
  if (torn_) {
    return torn();
  }
  if (!begun_) {
    const Bytes magic = TRY(source_->read(record_magic.size()));
    if (!std::equal(magic.begin(), magic.end(), record_magic.begin())) {
      return damaged();
    }
    if (magic.size() < record_magic.size()) {
      return torn();
    }
    begun_ = true;
  }
  const Bytes head = TRY(source_->read(sizeof(uint32_t) + check_bytes));
  if (head.empty()) {
    return std::optional<RecordedEntry>();
  }
  if (head.size() < sizeof(uint32_t) + check_bytes) {
    return torn();
  }
  codec::Reader reader(head);
  const uint32_t size = TRY(reader.number<uint32_t>());
  if (size > entry_bytes_max) {
    return damaged();
  }
  const Bytes payload = TRY(source_->read(size));
  if (payload.size() < size) {
    return torn();
  }
  const Hash check = crypto::hash(entry_mode(), payload);
  auto entry = codec::decode<RecordedEntry>(payload);
  if (!std::equal(head.end() - check_bytes, head.end(), check.bytes.begin()) || !entry.ok()) {
    return damaged();
  }
  ++count_;
  return std::optional<RecordedEntry>(std::move(entry).value());
}

}  // namespace lockstep::sim
