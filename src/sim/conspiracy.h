// What the Byzantine roles of one world tell each other.
#pragma once

#include <map>
#include <set>

#include "model/market.h"

namespace lockstep::sim {

struct Conspiracy {
  /// Node keys of conspirators: their auditors confirm, their challengers recover.
  std::set<crypto::PublicKey> members;
  /// What a conspirator says it computed: the unsalted roots of the task's list.
  std::map<std::pair<crypto::PublicKey, model::TaskTag>, std::vector<Hash>> lists;
  /// Transactions that a leaky ledger has seen and not yet put into a block.
  std::vector<model::Signed> pending;
};

}  // namespace lockstep::sim
