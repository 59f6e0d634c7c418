// Requesters that want work without paying for it, or to hurt those who did it.
#include "sim/byzantine_node.h"
#include "sim/byzantine_quote.h"

namespace lockstep::sim {
namespace {

using model::Transaction;

/// Reads every output and never signs for one.
class Greedy final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<net::Message> sends(uint64_t /*now*/,
                                    const crypto::PublicKey& /*to*/,
                                    net::Message message) override {
    return std::holds_alternative<net::GiveVoucher>(message) ? std::nullopt
                                                             : std::optional(std::move(message));
  }
};

/// Keeps its preimages to itself.
class NoPreimages final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::RevealPreimage>(body) ? std::nullopt
                                                               : std::optional(std::move(body));
  }
};

/// Never closes its job.
class NeverCloses final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::CloseJob>(body) ? std::nullopt
                                                         : std::optional(std::move(body));
  }
};

/// Takes deliveries, signs for none, keeps its preimages, and cancels the job right before the
/// claims.
class Cancels final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  bool hears(uint64_t now,
             const crypto::PublicKey& /*from*/,
             const net::Message& message) override {
    constexpr int deliveries = 4;
    deliveries_ += std::holds_alternative<net::Deliver>(message) ? 1 : 0;
    if (deliveries_ >= deliveries && !closed_ && !state().jobs.empty()) {
      closed_ = true;
      submit(now, model::CloseJob{state().jobs.begin()->first});
    }
    return true;
  }
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::RevealPreimage>(body) ? std::nullopt
                                                               : std::optional(std::move(body));
  }
  std::optional<net::Message> sends(uint64_t /*now*/,
                                    const crypto::PublicKey& /*to*/,
                                    net::Message message) override {
    return std::holds_alternative<net::GiveVoucher>(message) ? std::nullopt
                                                             : std::optional(std::move(message));
  }
  int deliveries_ = 0;
  bool closed_ = false;
};

/// Disputes everything that it can, with roots that it made up: it asks for the list, and then has
/// nothing to prove.
class Quarrelsome final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (std::holds_alternative<ledger::JobOpened>(news.event)) {
      ask_owner(model::AddStake{Amount::from_nano(stake_lks * Amount::nano_per_whole)});
    } else if (const auto* const posted = std::get_if<ledger::ClaimPosted>(&news.event)) {
      take_turns(now, posted->claim);
      waiting_.emplace_back(news.height, posted->claim);
    } else if (const auto* const opened = std::get_if<ledger::DisputeOpened>(&news.event)) {
      if (opened->challenger == self() &&
          state().disputes.contains({opened->claim, opened->task})) {
        submit(now, model::AskOpen{opened->claim, opened->task, model::Place()});
      }
    }
  }
  void take_turns(uint64_t now, const model::ClaimId& id) {
    for (uint32_t i = 0; i < state().claims.at(id).tasks.size(); ++i) {
      submit(now,
             model::CommitChallenge{model::challenge_commitment(id, i, Hash(), self(), Hash())});
    }
  }
  void tick(uint64_t now) override {
    std::erase_if(waiting_, [&](const auto& entry) {
      if (state().totals.height <= entry.first) {
        return false;
      }
      for (uint32_t i = 0; i < state().claims.at(entry.second).tasks.size(); ++i) {
        submit(now, model::Challenge{entry.second, i, Hash(), Hash()});
      }
      return true;
    });
  }
  static constexpr int64_t stake_lks = 100;
  std::vector<std::pair<uint64_t, model::ClaimId>> waiting_;
};

/// Takes quotes at another price than the one that was signed, and one provider's for another.
class ChangesQuotes final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    const auto* const lease = std::get_if<model::OpenLease>(&body);
    if (lease == nullptr) {
      return body;
    }
    const Bytes cheap = at_a_price(lease->quote.body, Amount::from_nano(1));
    model::OpenLease changed = *lease;
    changed.quote.body = cheap;
    late_.emplace_back(changed);
    changed.quote = model::sign(context().identity.key,
                                {state().network, model::SignedKind::quote, lease->quote.nonce},
                                cheap);
    late_.emplace_back(changed);
    late_.emplace_back(*lease);  // a second lease for the same quote
    return body;
  }
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (std::holds_alternative<ledger::ClaimPosted>(news.event)) {
      for (const Transaction& one : std::exchange(late_, {})) {
        submit(now, one);
      }
    }
  }
  std::vector<Transaction> late_;
};

constexpr RoleRow rows[] = {
    {"greedy-requester", "requester", make_role<Greedy>},
    {"no-preimage-requester", "requester", make_role<NoPreimages>},
    {"never-closing-requester", "requester", make_role<NeverCloses>},
    {"no-pay-requester", "requester", make_role<Cancels>},
    {"quarrelsome-requester", "requester", make_role<Quarrelsome>},
    {"quote-changing-requester", "requester", make_role<ChangesQuotes>},
};

}  // namespace

std::span<const RoleRow> requester_roles() {
  return rows;
}

}  // namespace lockstep::sim
