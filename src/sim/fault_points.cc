#include "sim/fault_points.h"

namespace lockstep::sim {
namespace {

constexpr std::array<const char*, fault_points> names = {
    "message.lost",
    "message.duplicated",
    "message.reordered",
    "partition.cut",
    "link.one_way",
    "link.slow",
    "node.slow",
    "clock.ahead",
    "clock.behind",
    "disk.full",
    "disk.lost",
    "disk.torn",
    "disk.rot",
    "disk.rot.noticed",
    "blob.full",
    "blob.lost",
    "blob.torn",
    "blob.rot",
    "blob.rot.noticed",
    "crash.provider",
    "crash.auditor",
    "crash.ledger",
    "crash.provider.sent",
    "crash.auditor.sent",
    "crash.ledger.sent",
    "crash.provider.receipt.before",
    "crash.provider.receipt.torn",
    "crash.provider.receipt.after",
    "crash.provider.voucher.before",
    "crash.provider.voucher.torn",
    "crash.provider.voucher.after",
    "crash.provider.forget.before",
    "crash.provider.forget.torn",
    "crash.provider.forget.after",
    "crash.provider.blob.before",
    "crash.provider.blob.torn",
    "crash.provider.blob.after",
    "crash.auditor.blob.before",
    "crash.auditor.blob.torn",
    "crash.auditor.blob.after",
    "crash.ledger.block.before",
    "crash.ledger.block.torn",
    "crash.ledger.block.after",
    "crash.requester",
    "crash.requester.sent",
    "crash.requester.blob.before",
    "crash.requester.blob.torn",
    "crash.requester.blob.after",
    "crash.requester.block.before",
    "crash.requester.block.torn",
    "crash.requester.block.after",
    "crash.requester.placed.before",
    "crash.requester.placed.torn",
    "crash.requester.placed.after",
    "crash.requester.accepted.before",
    "crash.requester.accepted.torn",
    "crash.requester.accepted.after",
    "crash.requester.job.before",
    "crash.requester.job.torn",
    "crash.requester.job.after",
    "crash.follower.block.before",
    "crash.follower.block.torn",
    "crash.follower.block.after",
};

}  // namespace

const char* name_of(FaultPoint point) {
  return names.at(static_cast<size_t>(point));
}

void FaultCounts::add(const FaultCounts& other) {
  for (size_t i = 0; i < fault_points; ++i) {
    counts_.at(i) += other.counts_.at(i);
  }
}

std::vector<std::string> FaultCounts::never_fired() const {
  std::vector<std::string> missing;
  for (size_t i = 0; i < fault_points; ++i) {
    if (counts_.at(i) == 0) {
      missing.emplace_back(names.at(i));
    }
  }
  return missing;
}

}  // namespace lockstep::sim
