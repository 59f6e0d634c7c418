// Where each value of a step lives: offsets in one arena, reused when a value is dead.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "law/program.h"

namespace lockstep::tensor {

inline constexpr int64_t buffer_alignment = 64;

/// Offsets are multiples of buffer_alignment. Values that are live at the same record never
/// overlap; a record's output never overlaps its inputs.
struct MemoryPlan {
  struct Slot {
    int64_t offset = 0, bytes = 0;
  };
  std::vector<Slot> leaves;  // the value that a step reads
  /// A record's output. That of a record which writes a leaf has a place of its own: after the step
  /// it trades places with the leaf.
  std::vector<Slot> records;
  std::vector<Slot> constants;
  struct Trade {
    uint32_t leaf, record;
    bool operator==(const Trade&) const = default;
  };
  std::vector<Trade> swaps;   // after a step: leaf and record exchange buffers
  std::vector<Trade> copies;  // after a step, before the swaps: leaves that share their writer
  int64_t arena_bytes = 0;
};

/// `program` has passed law::check. With `keep_outputs` no record's output is reused.
[[nodiscard]] MemoryPlan plan_memory(const law::Program& program, bool keep_outputs);

}  // namespace lockstep::tensor
