// What a provider must not lose in a crash: its receipts, with all that it takes to deliver, claim
// and defend them. Not for use outside the module.
#pragma once

#include <map>

#include "env/key_value.h"
#include "model/market.h"
#include "net/message.h"

namespace lockstep::node {

/// A task that ran. Its salt is not here: it follows from the provider's secret and the task's id.
struct KeptTask {
  model::Signed assignment;
  model::Signed receipt;
  std::vector<Hash> roots;  // of the task's list, unsalted
  std::vector<net::OutputLeaf> leaves;
  std::optional<model::Signed> voucher;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.assignment, self.receipt, self.roots, self.leaves, self.voucher);
  }
};

/// Keys: "task/<id in hex>" has a KeptTask, "order/<n>" the id of the nth task that ran, "tasks"
/// the range of n in use. Every change is durable when it returns.
class ProviderBook {
 public:
  /// Borrows the store.
  explicit ProviderBook(env::KeyValue& values) : values_(&values) {}
  /// In the order in which they ran. Errors: io_failed; decoding errors.
  Result<std::vector<KeptTask>> load();
  /// Errors of all three: io_failed; nothing is changed then.
  Result<void> add(const KeptTask& task);
  Result<void> change(const KeptTask& task);
  Result<void> erase(const std::vector<model::TaskId>& tasks);

 private:
  /// Places in use are in [first, next).
  struct Range {
    uint64_t first = 0;
    uint64_t next = 0;
    template <class Self, class Visit>
    static void each(Self& self, Visit&& visit) {
      visit(self.first, self.next);
    }
  };
  [[nodiscard]] static env::KeyValue::Change range_change(const Range& range);
  env::KeyValue* values_;
  uint64_t next_ = 0;
  std::map<uint64_t, model::TaskId> order_;
  std::map<model::TaskId, uint64_t> place_;
};

}  // namespace lockstep::node
