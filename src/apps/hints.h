// Errors of everyday use: what happened, why, and the command that helps. The commands say these
// sentences and no others, so that the same mistake reads the same everywhere.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "env/network.h"

namespace lockstep::apps {

/// `run` and others before `up`. Code no_network.
[[nodiscard]] Error no_network_yet(const std::string& folder);
/// A path that leads nowhere; `beside` are the names in the deepest folder of it that exists. Code
/// file_not_found.
[[nodiscard]] Error wrong_path(const std::string& path, const std::vector<std::string>& beside);
/// An error of code file_not_found as wrong_path() says it, with what lies beside; others as they
/// are.
[[nodiscard]] Error with_neighbours(Error error);
/// Code in_use.
[[nodiscard]] Error port_in_use(const env::Address& address);
/// Nobody answers at an address. Code unreachable.
[[nodiscard]] Error nobody_there(const env::Address& address);
/// Somebody else answers: the key is not the one that was named. Code not_trusted.
[[nodiscard]] Error somebody_else_there(const env::Address& address);
/// A data directory that another version wrote. Code bad_folder.
[[nodiscard]] Error other_format(const std::string& folder, uint32_t found, uint32_t known);
/// Code disk_full.
[[nodiscard]] Error no_space(const std::string& folder, uint64_t free_bytes);
/// `ours_ms` minus the network's time. Code out_of_range.
[[nodiscard]] Error clock_is_off(int64_t ahead_ms);
/// The second `up` for one folder. Code in_use.
[[nodiscard]] Error already_up(const std::string& folder, int64_t process);
/// Ctrl-C before anything was kept. Code cancelled.
[[nodiscard]] Error interrupted_at_once();
/// Ctrl-C while a job runs: it goes on without us. Code cancelled.
[[nodiscard]] Error interrupted_while_following(const std::string& job);
/// A subcommand that there is not. Code bad_option.
[[nodiscard]] Error unknown_command(const std::string& word,
                                    const std::vector<std::string>& commands);

/// The error as it is, or with the next step that is usual for its code where it has none.
[[nodiscard]] Error with_hint(Error error);

}  // namespace lockstep::apps
