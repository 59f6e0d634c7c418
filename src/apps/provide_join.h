// How somebody who knows no more than ADDRESS#NODEID comes to a network: its genesis, sure because
// the node named has proved its key and its certificate names the network.
#pragma once

#include <functional>

#include "apps/visit.h"

namespace lockstep::apps {

/// "192.0.2.7:4100#lk1…": where the ledger's node is, and its key. Errors: bad_address.
[[nodiscard]] Result<LedgerPlace> parse_join(const std::string& text);
[[nodiscard]] std::string join_text(const LedgerPlace& ledger);

/// Asks the ledger's node. Errors: unreachable, timed_out, not_trusted (somebody else answers, or
/// the answer is not what the certificate says).
[[nodiscard]] Result<model::Genesis> ask_genesis(const LedgerPlace& ledger);

/// What must be on the ledger before a provider gets work.
struct Registration {
  crypto::SecretKey node;
  crypto::PublicKey owner;
  Amount stake;
};
/// What of it is missing.
struct Missing {
  bool node = false;
  Amount stake;  // to be added
};
/// Errors: low_funds with the command that sends what is missing; already_there when the node is
/// somebody else's; overflow.
[[nodiscard]] Result<Missing> missing_of(const ledger::State& state, const Registration& wanted);

}  // namespace lockstep::apps
