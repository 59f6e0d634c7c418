// What a network, its machines and their disks are to suffer, as plain data. Machines go by name:
// "ledger", "requester", "provider-2", "auditor-1". Times are virtual, from the start of a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::model {

/// [from_ms, until_ms)
struct FaultSpan {
  uint64_t from_ms = 0;
  uint64_t until_ms = 0;
  bool operator==(const FaultSpan&) const = default;
};

/// Messages one way; a name left empty stands for every machine. Shares are in millionths.
struct LinkFault {
  std::string from;
  std::string to;
  FaultSpan span;
  uint32_t lost = 0;  // 1'000'000: the link is dead that way
  uint32_t duplicated = 0;
  uint32_t held_back = 0;  // for up to held_ms, so that later ones overtake them
  uint64_t held_ms = 0;
  uint32_t slow_factor = 1;  // the delay is multiplied
  bool operator==(const LinkFault&) const = default;
};

/// Nothing gets across between `side` and all others.
struct PartitionFault {
  std::vector<std::string> side;
  FaultSpan span;
  bool operator==(const PartitionFault&) const = default;
};

/// The machine's work and all its messages take so many times as long.
struct SlowFault {
  std::string who;
  FaultSpan span;
  uint32_t factor = 1;
  bool operator==(const SlowFault&) const = default;
};

/// The machine's clock is off, timers too. A clock that is put right never goes back: it waits.
struct ClockFault {
  std::string who;
  FaultSpan span;
  int64_t offset_ms = 0;
  int32_t drift_ppm = 0;  // counted from the start of the span
  bool operator==(const ClockFault&) const = default;
};

/// Where a machine dies, from at_ms on. One that comes to no such point in wait_ms dies anyway.
enum class CrashPoint : uint8_t {
  now,
  before_write,  // of the write nothing is on the disk
  torn_write,    // a part
  after_write,   // all, but nobody learned of it
  after_send,    // what the last call sent is on its way; nothing has come back
};
inline constexpr CrashPoint crash_point_last = CrashPoint::after_send;
struct CrashFault {
  std::string who;
  uint64_t at_ms = 0;
  CrashPoint point = CrashPoint::now;
  std::string site;  // the write: "receipt", "blob", "block", "placed", …; empty: any
  uint64_t wait_ms = 500;
  std::optional<uint64_t> restart_ms;  // after it died; nothing: it never comes back
  uint64_t skip = 0;                   // so many such writes, or sends, are let pass
  bool operator==(const CrashFault&) const = default;
};

/// Writes fail with io_failed and change nothing.
struct FullFault {
  std::string who;
  FaultSpan span;
  bool operator==(const FullFault&) const = default;
};

/// One bit of one stored value changes.
struct RotFault {
  std::string who;
  uint64_t at_ms = 0;
  bool blob = false;  // of a blob, else of what the role wrote down
  bool operator==(const RotFault&) const = default;
};

struct Faults {
  std::vector<LinkFault> links;
  std::vector<PartitionFault> partitions;
  std::vector<SlowFault> slow;
  std::vector<ClockFault> clocks;
  std::vector<CrashFault> crashes;
  std::vector<FullFault> full;
  std::vector<RotFault> rot;
  bool operator==(const Faults&) const = default;
  [[nodiscard]] bool empty() const { return *this == Faults(); }
};

}  // namespace lockstep::model
