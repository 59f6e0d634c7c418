// Providers that lie about what they computed, fall silent, or run from what they locked.
#include "attest/witness.h"
#include "sim/byzantine_node.h"

namespace lockstep::sim {
namespace {

using model::Transaction;

/// Does the work, delivers the true outputs, and claims a trace of random roots.
class RandomRoot final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  void computes(const node::RunTask& /*work*/, node::WorkDone& done) override {
    if (!done.result.ok()) {
      return;
    }
    auto* const execution = std::get_if<model::Execution>(&*done.result);
    if (execution == nullptr) {
      return;
    }
    for (size_t i = 0; i + 1 < execution->state_roots.size(); ++i) {
      execution->state_roots[i] = random_hash();
    }
    for (Hash& root : execution->output_roots) {
      root = random_hash();
    }
  }
};

/// Never answers a challenge.
class SilentClaimant final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::PostAnswer>(body) ? std::nullopt
                                                           : std::optional(std::move(body));
  }
};

/// Answers every challenge with other bytes than its own.
class GarbledAnswers final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    if (auto* const answer = std::get_if<model::PostAnswer>(&body)) {
      for (Hash& hash : answer->answer.hashes) {
        hash = random_hash();
      }
    }
    return body;
  }
};

/// Its machine dies when the first salts are to be opened.
class DiesBeforeSalts final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    if (std::holds_alternative<model::OpenSalts>(body)) {
      die();
      return std::nullopt;
    }
    return body;
  }
};

/// Lives on, but never opens a salt.
class WithholdsSalts final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::OpenSalts>(body) ? std::nullopt
                                                          : std::optional(std::move(body));
  }
};

/// Opens other salts than those of its lists.
class FalseSalts final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    if (auto* const open = std::get_if<model::OpenSalts>(&body)) {
      for (Hash& salt : open->salts) {
        salt = random_hash();
      }
    }
    return body;
  }
};

/// Delivers blobs to nobody: its outputs cannot be read.
class WithholdsOutputs final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  std::optional<net::Message> sends(uint64_t /*now*/,
                                    const crypto::PublicKey& /*to*/,
                                    net::Message message) override {
    return std::holds_alternative<net::GiveBlob>(message) ? std::nullopt
                                                          : std::optional(std::move(message));
  }
};

/// Tries to take its stake and its balance away whenever it can.
class StakeRunner final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  void news(uint64_t /*now*/, const node::LedgerNews& news) override {
    const bool moment = std::holds_alternative<ledger::ClaimPosted>(news.event) ||
                        std::holds_alternative<ledger::DisputeOpened>(news.event) ||
                        std::holds_alternative<ledger::LeaseClosed>(news.event);
    const auto account = state().accounts.find(context().identity.owner);
    if (!moment || account == state().accounts.end()) {
      return;
    }
    ask_owner(model::WithdrawStake{account->second.stake});
    const auto free = account->second.stake.subtract(account->second.locked);
    if (free.ok() && *free > Amount()) {
      ask_owner(model::WithdrawStake{*free});
    }
  }
};

/// Provider of a conspiracy: tells its auditors what it will claim. It lies where its machine does.
class ColludingProvider final : public Byzantine {
 public:
  ColludingProvider(const RoleContext& context, std::unique_ptr<node::Node> inner)
      : Byzantine(context, std::move(inner)) {
    conspiracy().members.insert(context.identity.key.public_key());
  }

 private:
  void computes(const node::RunTask& work, node::WorkDone& done) override {
    if (!done.result.ok()) {
      return;
    }
    if (const auto* const execution = std::get_if<model::Execution>(&*done.result)) {
      conspiracy().lists[{self(), work.task.tag}] = attest::list_roots(*execution, work.task.steps);
    }
  }
};

/// Provider whose own puppet challenges it first, to get a part of the stake back: it is in the
/// conspiracy and never answers.
class SelfChallenger final : public Byzantine {
 public:
  SelfChallenger(const RoleContext& context, std::unique_ptr<node::Node> inner)
      : Byzantine(context, std::move(inner)) {
    conspiracy().members.insert(context.identity.key.public_key());
  }

 private:
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    return std::holds_alternative<model::PostAnswer>(body) ? std::nullopt
                                                           : std::optional(std::move(body));
  }
};

constexpr RoleRow rows[] = {
    {"random-root", "provider", make_role<RandomRoot>},
    {"silent-claimant", "provider", make_role<SilentClaimant>},
    {"garbled-answers", "provider", make_role<GarbledAnswers>},
    {"dies-before-salts", "provider", make_role<DiesBeforeSalts>},
    {"withholds-salts", "provider", make_role<WithholdsSalts>},
    {"false-salts", "provider", make_role<FalseSalts>},
    {"withholds-outputs", "provider", make_role<WithholdsOutputs>},
    {"stake-runner", "provider", make_role<StakeRunner>},
    {"colluding-provider", "provider", make_role<ColludingProvider>},
    {"self-challenger", "provider", make_role<SelfChallenger>},
};

}  // namespace

std::span<const RoleRow> provider_roles() {
  return rows;
}

}  // namespace lockstep::sim
