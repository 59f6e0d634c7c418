// Challengers that want the reward without the work, or to keep others from it. They are auditors
// by registration and stake, and honest when drawn.
#include "sim/byzantine_node.h"

namespace lockstep::sim {
namespace {

using model::ClaimId;

/// Takes a turn for every task of the claims that it is after, and challenges on it.
class Challenger : public Byzantine {
 public:
  using Byzantine::Byzantine;

 protected:
  [[nodiscard]] bool is_conspirators(const ClaimId& id) const {
    const auto claim = state().claims.find(id);
    return claim != state().claims.end() &&
           conspiracy().members.contains(state().leases.at(claim->second.lease).node);
  }
  void take_turns(uint64_t now, const ClaimId& id) {
    const auto& tasks = state().claims.at(id).tasks;
    for (uint32_t i = 0; i < tasks.size(); ++i) {
      submit(now,
             model::CommitChallenge{
                 model::challenge_commitment(id, i, tasks[i].output_root, self(), Hash())});
    }
  }
  void challenge(uint64_t now, const ClaimId& id, uint32_t task) {
    submit(now,
           model::Challenge{id, task, state().claims.at(id).tasks.at(task).output_root, Hash()});
  }
  [[nodiscard]] bool is_own(const ClaimId& id, uint32_t task) const {
    const auto dispute = state().disputes.find({id, task});
    return dispute != state().disputes.end() && dispute->second.challenger == self();
  }
};

/// The puppet of a self-challenger: challenges its conspirator's claims as soon as they stand, and
/// asks what will not be answered.
class Puppet final : public Challenger {
 public:
  using Challenger::Challenger;

 private:
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (const auto* const posted = std::get_if<ledger::ClaimPosted>(&news.event)) {
      if (is_conspirators(posted->claim)) {
        take_turns(now, posted->claim);
        waiting_.emplace_back(news.height, posted->claim);
      }
    } else if (const auto* const opened = std::get_if<ledger::DisputeOpened>(&news.event)) {
      if (opened->challenger == self() && is_own(opened->claim, opened->task)) {
        submit(now, model::AskOpen{opened->claim, opened->task, model::Place()});
      }
    }
  }
  void tick(uint64_t now) override {
    std::erase_if(waiting_, [&](const auto& entry) {
      if (state().totals.height <= entry.first) {
        return false;
      }
      for (uint32_t i = 0; i < state().claims.at(entry.second).tasks.size(); ++i) {
        challenge(now, entry.second, i);
      }
      return true;
    });
  }
  std::vector<std::pair<uint64_t, ClaimId>> waiting_;
};

/// A puppet that only stands in the way: it challenges its conspirator's claims and says nothing
/// more, so that nobody else can.
class Shield final : public Challenger {
 public:
  using Challenger::Challenger;

 private:
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (const auto* const posted = std::get_if<ledger::ClaimPosted>(&news.event)) {
      if (is_conspirators(posted->claim)) {
        take_turns(now, posted->claim);
      }
    } else if (const auto* const committed = std::get_if<ledger::AuditCommitted>(&news.event)) {
      // The auditor knows what it will say: now or never.
      if (is_conspirators(committed->claim)) {
        for (const uint32_t task : state().claims.at(committed->claim).audit.tasks) {
          challenge(now, committed->claim, task);
        }
      }
    }
  }
};

/// Copies the challenges of others: it takes its turn and challenges in the block in which it sees
/// that something is wrong, and has turns for everything in advance.
class FrontRunner final : public Challenger {
 public:
  using Challenger::Challenger;

 private:
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (const auto* const posted = std::get_if<ledger::ClaimPosted>(&news.event)) {
      take_turns(now, posted->claim);
    } else if (const auto* const disagreed = std::get_if<ledger::AuditDisagreed>(&news.event)) {
      if (state().claims.at(disagreed->claim).audit.auditor != self()) {
        for (const uint32_t task : disagreed->tasks) {
          submit(now,
                 model::CommitChallenge{model::challenge_commitment(
                     disagreed->claim, task, Hash(), self(), random_hash())});
          challenge(now, disagreed->claim, task);
        }
      }
    }
  }
  void tick(uint64_t now) override {
    for (const model::Signed& seen : std::exchange(conspiracy().pending, {})) {
      copy(now, seen);
    }
  }
  void copy(uint64_t now, const model::Signed& seen) {
    const auto body = codec::decode<model::Transaction>(seen.body);
    if (!body.ok() || seen.signer == self()) {
      return;
    }
    if (const auto* const theirs = std::get_if<model::Challenge>(&*body)) {
      submit(now,
             model::CommitChallenge{model::challenge_commitment(
                 theirs->claim, theirs->task, theirs->own_root, self(), theirs->salt)});
      submit(now, *theirs);
      challenge(now, theirs->claim, theirs->task);
    } else if (const auto* const turn = std::get_if<model::CommitChallenge>(&*body)) {
      submit(now, *turn);
    }
  }
};

constexpr RoleRow rows[] = {
    {"puppet", "auditor", make_role<Puppet>},
    {"shield", "auditor", make_role<Shield>},
    {"front-runner", "auditor", make_role<FrontRunner>},
};

}  // namespace

std::span<const RoleRow> challenger_roles() {
  return rows;
}

}  // namespace lockstep::sim
