// Asks a question in a process of its own: a library that crashes or hangs takes only that one
// down.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace lockstep::device {

inline constexpr size_t answer_bytes_max = size_t{1} << 20;

/// Forks; the child runs `question` and what it returns comes back. The child writes nothing else
/// and runs no destructors of this process. Errors: timed_out (it was killed), io_failed when it
/// ended without an answer, too_large.
[[nodiscard]] Result<std::string> ask_child(const std::function<std::string()>& question,
                                            uint32_t deadline_ms);

}  // namespace lockstep::device
