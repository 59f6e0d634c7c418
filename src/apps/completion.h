// Completion scripts for shells, made from the command line's own description: they cannot drift.
#pragma once

#include <string>

#include "base/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library has it so
class App;
}

namespace lockstep::apps {

enum class Shell : uint8_t { bash, zsh, fish };
/// Errors: bad_option.
[[nodiscard]] Result<Shell> parse_shell(const std::string& name);

/// What the shell must read to complete `program`: subcommands, flags and the values that an
/// option's validator lists; file names everywhere else. How to install it stands in its first
/// lines.
[[nodiscard]] std::string completion_script(const CLI::App& app,
                                            const std::string& program,
                                            Shell shell);

}  // namespace lockstep::apps
