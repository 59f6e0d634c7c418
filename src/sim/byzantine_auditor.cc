// Auditors that do not do their work, or do it for the liar.
#include "judge/programs.h"
#include "sim/byzantine_node.h"

namespace lockstep::sim {
namespace {

using model::ClaimId;
using model::Transaction;

/// An auditor that says something else than what it computed: it answers the ledger's questions
/// itself, from lists that it makes up, and never uses its machine.
class MadeUp : public Byzantine {
 public:
  using Byzantine::Byzantine;

 protected:
  /// The list for one drawn task; `entries` long.
  virtual std::vector<Hash> list_of(const ledger::Task& task, uint64_t entries) = 0;
  [[nodiscard]] virtual bool reveals() const { return true; }
  [[nodiscard]] virtual bool challenges() const { return false; }

 private:
  bool runs(const node::RunTask& /*work*/) override { return false; }
  void news(uint64_t now, const node::LedgerNews& news) override {
    if (const auto* const drawn = std::get_if<ledger::AuditorDrawn>(&news.event)) {
      if (drawn->auditor == self()) {
        commit(now, drawn->claim);
      }
    } else if (const auto* const opened = std::get_if<ledger::SaltsOpened>(&news.event)) {
      reveal(now, opened->claim);
    } else if (const auto* const closed = std::get_if<ledger::SaltsUnopened>(&news.event)) {
      reveal(now, closed->claim);
    } else if (const auto* const disagreed = std::get_if<ledger::AuditDisagreed>(&news.event)) {
      challenge(now, *disagreed);
    }
  }
  void commit(uint64_t now, const ClaimId& id) {
    const ledger::Claim& claim = state().claims.at(id);
    model::CommitAudit body{id, {}};
    std::vector<std::vector<Hash>>& lists = lists_[id];
    lists.clear();
    for (const uint32_t place : claim.audit.tasks) {
      const ledger::Task& task = claim.tasks.at(place);
      const judge::Registered* const program = state().programs.find(task.program);
      lists.push_back(list_of(task, judge::list_entries(*program, task.steps, task.claim_every)));
      body.commitments.push_back(model::audit_commitment(lists.back(), self(), Hash()));
    }
    submit(now, body);
  }
  void reveal(uint64_t now, const ClaimId& id) {
    const auto lists = lists_.find(id);
    if (lists == lists_.end() || state().claims.at(id).audit.auditor != self() || !reveals()) {
      return;
    }
    model::RevealAudit body{id, {}};
    for (const std::vector<Hash>& list : lists->second) {
      body.tasks.push_back({list, Hash()});
    }
    submit(now, body);
  }
  void challenge(uint64_t now, const ledger::AuditDisagreed& disagreed) {
    if (!challenges() || state().claims.at(disagreed.claim).audit.auditor != self()) {
      return;
    }
    for (const uint32_t task : disagreed.tasks) {
      submit(now, model::Challenge{disagreed.claim, task, random_hash(), Hash()});
    }
  }
  std::map<ClaimId, std::vector<std::vector<Hash>>> lists_;
};

/// Copies what is public, the output root, and guesses the rest.
class Copying final : public MadeUp {
 public:
  using MadeUp::MadeUp;

 private:
  std::vector<Hash> list_of(const ledger::Task& task, uint64_t entries) override {
    std::vector<Hash> roots(entries, task.output_root);
    const uint32_t last = model::state_roots_of(task.steps, task.claim_every) - 1;
    for (uint64_t i = 0; i < entries; ++i) {
      roots[i] = i == last ? task.output_root : random_hash();
    }
    return roots;
  }
};

/// Commits to anything, and does not reveal it.
class Lazy final : public MadeUp {
 public:
  using MadeUp::MadeUp;

 private:
  std::vector<Hash> list_of(const ledger::Task& /*task*/, uint64_t entries) override {
    return std::vector<Hash>(entries, random_hash());
  }
  [[nodiscard]] bool reveals() const override { return false; }
};

/// Reveals anything and challenges the honest for it, with nothing to prove.
class FalseChallenger final : public MadeUp {
 public:
  using MadeUp::MadeUp;

 private:
  std::vector<Hash> list_of(const ledger::Task& /*task*/, uint64_t entries) override {
    return std::vector<Hash>(entries, random_hash());
  }
  [[nodiscard]] bool challenges() const override { return true; }
};

/// Never commits: others must be drawn in its place.
class Sleeping final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  bool runs(const node::RunTask& /*work*/) override { return false; }
};

/// Confirms whatever its conspirators claim; honest to everybody else.
class Colluding final : public Byzantine {
 public:
  using Byzantine::Byzantine;

 private:
  [[nodiscard]] const std::vector<Hash>* list_of(const ClaimId& id, uint32_t place) const {
    const model::PostClaim* const posted = ledger().claim(id);
    const auto claim = state().claims.find(id);
    if (posted == nullptr || claim == state().claims.end()) {
      return nullptr;
    }
    const auto& node = state().leases.at(claim->second.lease).node;
    const auto assignment =
        codec::decode<model::Assignment>(posted->entries.at(place).assignment.body);
    if (!assignment.ok()) {
      return nullptr;
    }
    const auto found = conspiracy().lists.find({node, model::tag_of(*assignment)});
    return found == conspiracy().lists.end() ? nullptr : &found->second;
  }
  std::optional<Transaction> submits(uint64_t /*now*/, Transaction body) override {
    if (auto* const commit = std::get_if<model::CommitAudit>(&body)) {
      const auto& tasks = state().claims.at(commit->claim).audit.tasks;
      for (size_t i = 0; i < commit->commitments.size() && i < tasks.size(); ++i) {
        if (const auto* const list = list_of(commit->claim, tasks[i])) {
          commit->commitments[i] = model::audit_commitment(*list, self(), Hash());
        }
      }
    } else if (auto* const reveal = std::get_if<model::RevealAudit>(&body)) {
      const auto& tasks = state().claims.at(reveal->claim).audit.tasks;
      for (size_t i = 0; i < reveal->tasks.size() && i < tasks.size(); ++i) {
        if (const auto* const list = list_of(reveal->claim, tasks[i])) {
          reveal->tasks[i] = {*list, Hash()};
        }
      }
    }
    return body;
  }
};

constexpr RoleRow rows[] = {
    {"copying-auditor", "auditor", make_role<Copying>},
    {"lazy-auditor", "auditor", make_role<Lazy>},
    {"false-challenger", "auditor", make_role<FalseChallenger>},
    {"sleeping-auditor", "auditor", make_role<Sleeping>},
    {"colluding-auditor", "auditor", make_role<Colluding>},
};

}  // namespace

std::span<const RoleRow> auditor_roles() {
  return rows;
}

}  // namespace lockstep::sim
