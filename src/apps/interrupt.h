// Ctrl-C in commands that people wait for.
#pragma once

#include "base/result.h"

namespace lockstep::apps {

/// From here on the first Ctrl-C only sets a flag, and ends what waits for input; a second one ends
/// the command as always.
void watch_interrupts();
[[nodiscard]] bool is_interrupted();
/// Errors: cancelled after a Ctrl-C: nothing was started.
[[nodiscard]] Result<void> check_interrupt();

}  // namespace lockstep::apps
