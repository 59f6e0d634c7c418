// Byzantine roles: what a node's owner may do to it. The honest node runs inside; a role sees what
// goes in and comes out, and drops, changes or adds to it with the node's own keys.
#pragma once

#include <memory>

#include "node/node.h"
#include "sim/conspiracy.h"

namespace lockstep::sim {

/// Machine `who` ("provider-3", "auditor-1", "requester", "ledger") plays `role`.
struct RoleSpec {
  std::string who;
  std::string role;
  bool operator==(const RoleSpec&) const = default;
};

/// What a role acts with: its machine's identity and the network it is on.
struct RoleContext {
  node::Identity identity;
  model::Genesis genesis;
  uint64_t seed = 0;
  std::shared_ptr<Conspiracy> conspiracy = std::make_shared<Conspiracy>();
};

/// Errors: bad_option for a role that is not known, or is another machine's.
[[nodiscard]] Result<std::unique_ptr<node::Node>> in_role(const RoleSpec& spec,
                                                          const RoleContext& context,
                                                          std::unique_ptr<node::Node> inner);

/// Names of all roles, in order.
[[nodiscard]] std::vector<std::string> role_names();
/// What one needs to be to play it: "provider", "auditor", "requester" or "ledger"; "" for no role.
[[nodiscard]] std::string role_kind(const std::string& role);

}  // namespace lockstep::sim
