// Where people's files lie (XDG Base Directory): settings and wallets, and what nodes keep.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace lockstep::apps {

/// The value of an environment variable; empty when there is none.
using Environment = std::function<std::string(const char* name)>;
[[nodiscard]] std::string environment_of_process(const char* name);

/// $XDG_CONFIG_HOME/lockstep, or ~/.config/lockstep. Errors: bad_folder when the environment names
/// neither.
[[nodiscard]] Result<std::string> config_folder(const Environment& environment);
/// $XDG_DATA_HOME/lockstep, or ~/.local/share/lockstep. Errors: the same.
[[nodiscard]] Result<std::string> data_folder(const Environment& environment);
/// `chosen` (--wallet-dir), or "wallets" in config_folder().
[[nodiscard]] Result<std::string> wallet_folder(const Environment& environment,
                                                const std::string& chosen);

}  // namespace lockstep::apps
