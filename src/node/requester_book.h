// What a requester must not lose in a crash: what it promised and what it accepted. Not for use
// outside the module.
#pragma once

#include "env/key_value.h"
#include "model/market.h"
#include "model/transaction.h"
#include "net/message.h"

namespace lockstep::node {

/// Why the job is given up.
struct KeptFailure {
  uint16_t code = 0;
  std::string where, what, next;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.code, self.where, self.what, self.next);
  }
};

/// From the moment when offers are chosen.
struct KeptJob {
  std::vector<model::Signed> quotes;  // that are accepted
  Amount price_per_unit;
  std::optional<model::Signed> open;  // the owner's; kept before it is submitted
  std::optional<KeptFailure> failure;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.quotes, self.price_per_unit, self.open, self.failure);
  }
};

/// A task that was read and signed for.
struct KeptResult {
  model::ClaimEntry entry;  // with its voucher
  std::vector<net::OutputLeaf> leaves;
  uint64_t accepted_ms = 0;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.entry, self.leaves, self.accepted_ms);
  }
};

/// Keys: "job" has a KeptJob, "ids" the next nonce, "placed/<tag>" the signed assignment that a
/// provider works on, "accepted/<tag>" a KeptResult. Every record has a twin under "twin/<key>", in
/// the same batch: one that cannot be read is restored from the other. Blocks lie in the same store
/// (LedgerClient).
class RequesterBook {
 public:
  /// Borrows the store.
  explicit RequesterBook(env::KeyValue& values) : values_(&values) {}
  struct Kept {
    std::optional<KeptJob> job;
    uint64_t next_id = 1;
    std::vector<model::Signed> placed;  // both in tag order
    std::vector<KeptResult> accepted;
  };
  /// Errors: io_failed for a record that cannot be read, twin and all; decoding errors.
  Result<Kept> load();
  /// Errors of all below: io_failed, disk_full; nothing is changed then.
  Result<void> write_job(const KeptJob& job);
  /// In place of what was placed for this task before.
  Result<void> place(const model::TaskTag& tag, const model::Signed& assignment, uint64_t next_id);
  /// The task is no longer placed.
  Result<void> accept(const model::TaskTag& tag, const KeptResult& result, uint64_t next_id);
  Result<void> forget(std::span<const model::TaskTag> tags);

 private:
  using Batch = std::vector<env::KeyValue::Change>;
  static void put(Batch& batch, const std::string& key, const Bytes& value);
  static void erase(Batch& batch, const std::string& key);
  Result<std::optional<Bytes>> read(const std::string& key);
  template <class T>
  Result<std::vector<T>> read_all(const std::string& prefix);
  env::KeyValue* values_;
};

}  // namespace lockstep::node
