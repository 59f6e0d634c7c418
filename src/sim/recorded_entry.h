// What a record of a real node's life is made of: its inputs with its time, marks of what it asked
// for, and what its store did. One file a life: a magic text, then entries with length and check.
#pragma once

#include "env/key_value.h"
#include "node/node.h"

namespace lockstep::sim {

inline constexpr uint32_t record_version = 1;
inline constexpr std::string_view record_magic = "lockstep record\n";
inline constexpr size_t entry_bytes_max = size_t{64} << 20;

/// An effect by its kind (its place in node::Effect), its kind of message or notice, and the hash
/// of everything in it.
struct EffectMark {
  uint8_t kind = 0;
  uint8_t part = 0;
  Hash hash;
  bool operator==(const EffectMark&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind, self.part, self.hash);
  }
};

/// A process begins: the node is about to be made from this setup over this store.
struct Born {
  uint32_t version = record_version;
  uint64_t life = 1;
  bool has_snapshot = false;  // Kept entries follow: nothing was recorded before
  Hash store;                 // store_digest()
  Bytes setup;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.version, self.life, self.has_snapshot, self.store, self.setup);
  }
};
/// What the store held before the first recorded life. Several with the same key are one value. A
/// blob comes without its bytes, which its address names.
struct Kept {
  Bytes key;
  Bytes value;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.value);
  }
};
struct Started {
  uint64_t now_ms = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms);
  }
};
struct MessageCame {
  uint64_t now_ms = 0;
  crypto::PublicKey from;
  net::Message message;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.from, self.message);
  }
};
struct TimerRang {
  uint64_t now_ms = 0;
  uint64_t id = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.id);
  }
};
struct RecordedError {
  uint16_t code = 0;
  std::string where, what, next;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.code, self.where, self.what, self.next);
  }
};
struct WorkCame {
  uint64_t now_ms = 0;
  uint64_t id = 0;
  Hash result;                         // result_hash(); of an error too
  std::optional<RecordedError> error;  // instead of a result
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.id, self.result, self.error);
  }
};
struct SignedCame {
  uint64_t now_ms = 0;
  model::Signed transaction;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.transaction);
  }
};
struct ProvidersCame {
  uint64_t now_ms = 0;
  std::vector<crypto::PublicKey> keys;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.keys);
  }
};
/// What the last input led to; not written when that is nothing.
struct EffectsLeft {
  std::vector<EffectMark> effects;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.effects);
  }
};
/// Call number `call` (from 0) to the store within the last input failed.
struct StoreFailed {
  uint64_t call = 0;
  RecordedError error;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.call, self.error);
  }
};
/// The worker is about to write this, between two inputs; blobs without their bytes.
struct WorkerWrites {
  std::vector<Kept> values;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.values);
  }
};
/// ... but the store failed.
struct WorkerFailed {
  template <class Self, class Visit>
  static void each(Self& /*self*/, Visit&& visit) {
    visit();
  }
};
/// A provider's owner lends the machine, or no longer. Effects follow with the next input's.
struct LendingChanged {
  uint64_t now_ms = 0;
  bool open = true;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.now_ms, self.open);
  }
};
/// The process ended by itself: nothing is missing.
struct Ended {
  template <class Self, class Visit>
  static void each(Self& /*self*/, Visit&& visit) {
    visit();
  }
};

/// The order is part of the bytes.
using RecordedEntry = std::variant<Born,
                                   Kept,
                                   Started,
                                   MessageCame,
                                   TimerRang,
                                   WorkCame,
                                   SignedCame,
                                   ProvidersCame,
                                   EffectsLeft,
                                   StoreFailed,
                                   WorkerWrites,
                                   WorkerFailed,
                                   LendingChanged,
                                   Ended>;

[[nodiscard]] bool is_input(const RecordedEntry& entry);
/// The node's time of an input; 0 for what is none.
[[nodiscard]] uint64_t time_of(const RecordedEntry& entry);
/// For people: "message Assign", "timer", ...
[[nodiscard]] std::string name_of(const RecordedEntry& entry);
[[nodiscard]] std::string name_of(const EffectMark& mark);

[[nodiscard]] EffectMark mark_of(const node::Effect& effect);
[[nodiscard]] Hash result_hash(const node::WorkDone& done);
/// Of a message from one node to another.
[[nodiscard]] Hash message_hash(const crypto::PublicKey& from,
                                const crypto::PublicKey& to,
                                const net::Message& message);
[[nodiscard]] RecordedError recorded(const Error& error);
[[nodiscard]] Error error_of(const RecordedError& error);

/// Everything in a store, but of blobs only their addresses. Errors: io_failed.
[[nodiscard]] Result<Hash> store_digest(env::KeyValue& store);
/// The snapshot of a first life. Errors: io_failed.
[[nodiscard]] Result<std::vector<Kept>> store_snapshot(env::KeyValue& store);
/// The address, where this is a blob's key.
[[nodiscard]] std::optional<Hash> blob_of(const std::string& key);

/// An entry with its length and check, as it lies in the file.
[[nodiscard]] Bytes framed(const RecordedEntry& entry);

/// Bytes of one life's file, from the front.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Up to `count` bytes; fewer only at the end. Errors: io_failed.
  virtual Result<Bytes> read(size_t count) = 0;
};

class EntryReader {
 public:
  explicit EntryReader(ByteSource& source) : source_(&source) {}
  /// Nothing at the end, or where a process died while it wrote: then is_torn(). Errors: bad_folder
  /// for what no recorder writes; io_failed.
  Result<std::optional<RecordedEntry>> next();
  [[nodiscard]] bool is_torn() const { return torn_; }

 private:
  Result<std::optional<RecordedEntry>> torn();
  ByteSource* source_;
  bool begun_ = false;
  bool torn_ = false;
  uint64_t count_ = 0;
};

}  // namespace lockstep::sim
