// Every place where a fault can strike, by name, and how often each did: what a batch of runs never
// reached is not tested.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::sim {

enum class FaultPoint : uint8_t {
  message_lost,
  message_duplicated,
  message_reordered,  // overtaken by a later one of the same link
  partition_cut,
  link_one_way,
  link_slow,
  node_slow,
  clock_ahead,
  clock_behind,
  disk_full,
  disk_lost,
  disk_torn,
  disk_rot,
  disk_rot_noticed,  // a rotten value was asked for, and refused
  blob_full,
  blob_lost,
  blob_torn,
  blob_rot,
  blob_rot_noticed,
  crash_provider,
  crash_auditor,
  crash_ledger,
  crash_provider_sent,  // between its sending and any answer
  crash_auditor_sent,
  crash_ledger_sent,
  receipt_before,  // a provider's receipt: before the write, in it, after it
  receipt_torn,
  receipt_after,
  voucher_before,
  voucher_torn,
  voucher_after,
  forget_before,
  forget_torn,
  forget_after,
  provider_blob_before,
  provider_blob_torn,
  provider_blob_after,
  auditor_blob_before,
  auditor_blob_torn,
  auditor_blob_after,
  block_before,
  block_torn,
  block_after,
  crash_requester,
  crash_requester_sent,
  requester_blob_before,
  requester_blob_torn,
  requester_blob_after,
  requester_block_before,
  requester_block_torn,
  requester_block_after,
  placed_before,
  placed_torn,
  placed_after,
  accepted_before,
  accepted_torn,
  accepted_after,
  job_before,  // what it chose, and the owner's signature
  job_torn,
  job_after,
  log_before,  // a block in the log of a provider or auditor
  log_torn,
  log_after,
};
inline constexpr size_t fault_points = static_cast<size_t>(FaultPoint::log_after) + 1;

/// "message.lost", "crash.provider.receipt.torn", …
[[nodiscard]] const char* name_of(FaultPoint point);

class FaultCounts {
 public:
  void fired(FaultPoint point) { ++counts_.at(static_cast<size_t>(point)); }
  [[nodiscard]] uint64_t of(FaultPoint point) const {
    return counts_.at(static_cast<size_t>(point));
  }
  void add(const FaultCounts& other);
  [[nodiscard]] std::vector<std::string> never_fired() const;

 private:
  std::array<uint64_t, fault_points> counts_{};
};

}  // namespace lockstep::sim
