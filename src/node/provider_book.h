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
/// the range of n in use, "tasks/copy" the same. Every change is durable when it returns.
class ProviderBook {
 public:
  /// Borrows the store.
  explicit ProviderBook(env::KeyValue& values) : values_(&values) {}
  /// In the order in which they ran, without those whose records the store cannot read. Errors:
  /// io_failed when it cannot read which there are; decoding errors.
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
  static void write_range(std::vector<env::KeyValue::Change>& batch, const Range& range);
  Result<std::optional<Range>> read_range();
  Result<std::optional<KeptTask>> read_place(uint64_t place);
  env::KeyValue* values_;
  uint64_t next_ = 0;
  std::map<uint64_t, model::TaskId> order_;
  std::map<model::TaskId, uint64_t> place_;
};

}  // namespace lockstep::node
