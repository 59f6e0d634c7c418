// The terminal: is there one, how wide, in colour, and a line typed without echo.
#pragma once

#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace lockstep::platform {

[[nodiscard]] bool is_terminal(int descriptor);
/// Columns; 80 where nobody knows.
[[nodiscard]] size_t terminal_width(int descriptor);
/// A terminal that is not "dumb", and NO_COLOR (no-color.org) is not set or empty.
[[nodiscard]] bool wants_colour(int descriptor);

/// Shows the prompt and reads one line that is not shown. Signals that would end or stop the
/// process do so after the echo is back on; after a stop the prompt comes again. For processes
/// with one thread. Errors: cancelled (end of input, or a signal that the program survives),
/// too_large, io_failed (no terminal).
[[nodiscard]] Result<crypto::SecretText> read_hidden(int in, int out, const std::string& prompt);
/// The same at the terminal of this process, wherever its input comes from. Errors also: bad_option
/// when it has no terminal.
[[nodiscard]] Result<crypto::SecretText> read_hidden(const std::string& prompt);

}  // namespace lockstep::platform
