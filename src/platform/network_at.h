// Which network a node belongs to, before anything else is known of it than its key.
#pragma once

#include "env/network.h"

namespace lockstep::platform {

/// Connects, lets the node prove its key, and reads the network's id off its certificate; then
/// hangs up. What it gives is as sure as the key. Blocks, for at most `patience_ms`. Errors:
/// unreachable, timed_out, not_trusted (somebody else answers), internal.
[[nodiscard]] Result<Hash> network_at(const env::Address& address,
                                      const env::NodeId& node,
                                      uint64_t patience_ms);

}  // namespace lockstep::platform
