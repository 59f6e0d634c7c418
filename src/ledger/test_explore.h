// For tests only: a small job whose parties may each do, at every moment, anything that their role
// allows, in every order, or let a deadline pass; all states that can be reached, each visited
// once.
#pragma once

#include <set>

#include "ledger/test_audit.h"

namespace lockstep::ledger::test {

/// Who is there, and who lies.
struct Play {
  uint32_t claims = 1;         // of one task each, by as many providers
  bool lie = false;            // the first provider's work is false
  bool linked = false;         // the second task reads from the first
  bool meddler = false;        // the requester challenges true work of the first
  bool unsigned_work = false;  // the requester gives the first no voucher
  bool early_close = false;    // the requester may close the job before everything is claimed
};

enum class Who : uint8_t { requester, first, second, auditor };
inline constexpr size_t who_count = 4;

/// What one party, or time, does next.
enum class Act : uint8_t {
  tick,
  claim,
  reveal,
  commit,
  salts,
  audit,
  challenge,
  ask_list,
  ask_product,
  answer,
  false_answer,
  prove,
  turn,  // the meddler's commitment
  meddle,
  close,
};
struct Move {
  Act act = Act::tick;
  uint32_t claim = 0;
};
inline std::string text_of(const Move& move) {
  static const char* const names[] = {"tick",
                                      "claim",
                                      "reveal",
                                      "commit",
                                      "salts",
                                      "audit",
                                      "challenge",
                                      "ask_list",
                                      "ask_product",
                                      "answer",
                                      "false_answer",
                                      "prove",
                                      "turn",
                                      "meddle",
                                      "close"};
  return std::string(names[static_cast<size_t>(move.act)]) + std::to_string(move.claim);
}

/// Long against the millisecond between two moves, so that time is what ticks make of it.
inline model::Genesis slow_rules() {
  model::Genesis rules;
  rules.block_ms = 1;
  rules.epoch_ms = 100'000;
  rules.answer_ms = 1'000'000;
  rules.final_window_ms = 10'000'000;
  rules.job_idle_ms = 1'000'000'000;
  rules.preimage_blocks = 2;
  return rules;
}

class Stage : public AuditWorld {
 public:
  explicit Stage(const Play& play) : AuditWorld(true, slow_rules()), play_(play) {
    if (play.meddler) {
      // Enough for two challenges: the second bond is twice the first.
      must(requester.owner, model::AddStake{nano(350'000'000)});
    }
    start();
    leases_ = {lease_id(), play.claims > 1 ? open_lease(job_id(), providers[1]) : LeaseId{}};
    const auto no_reads = std::vector<TaskId>{};
    for (uint32_t i = 0; i < play.claims; ++i) {
      const bool lies = play.lie && i == 0;
      const auto reads = play.linked && i == 1 ? std::vector{works_[0].id} : no_reads;
      const WorkPlan plan{i, 1, 1, reads};
      works_.push_back(traces(lies).work(*this, leases_.at(i), providers.at(i), plan));
      truths_.push_back(traces(false).work(*this, leases_.at(i), providers.at(i), plan));
      CHECK(works_.back().id == truths_.back().id);
    }
  }

  [[nodiscard]] const Play& play() const { return play_; }
  [[nodiscard]] const Party& party(Who who) const {
    switch (who) {
      case Who::requester:
        return requester;
      case Who::auditor:
        return auditor;
      default:
        return providers.at(static_cast<size_t>(who) - 1);
    }
  }
  [[nodiscard]] int64_t wealth(Who who) const {
    const Account& account = this->account(party(who).owner);
    return account.balance.nano() + account.stake.nano();
  }
  [[nodiscard]] const Work& work(uint32_t claim) const { return works_.at(claim); }
  [[nodiscard]] std::optional<ClaimId> claim_of(uint32_t claim) const {
    const auto found = state().claimed.find(works_.at(claim).id);
    return found == state().claimed.end() ? std::nullopt : std::optional(found->second);
  }

  /// Everything that somebody might do now; the ledger refuses some of it.
  [[nodiscard]] std::vector<Move> moves() const {
    std::vector<Move> moves;
    if (const auto due = state_due(); due) {
      moves.push_back({Act::tick, 0});
    }
    bool waits = false;
    for (uint32_t i = 0; i < play_.claims; ++i) {
      const auto id = claim_of(i);
      if (!id) {
        moves.push_back({Act::claim, i});
        continue;
      }
      waits = waits || claim(*id).audit.phase == AuditPhase::waiting;
      audit_moves(claim(*id), i, moves);
      dispute_moves(*id, i, moves);
    }
    if (waits) {
      moves.push_back({Act::reveal, 0});
    }
    const bool all_claimed = claim_of(0) && (play_.claims < 2 || claim_of(1));
    if (job(job_id()).status == JobStatus::open && (play_.early_close || all_claimed)) {
      moves.push_back({Act::close, 0});
    }
    return moves;
  }

  /// Whose move an Act is, for the claim's parties.
  [[nodiscard]] std::pair<crypto::SecretKey, model::Transaction> transaction_of(
      const Move& move) const;
  /// The parties whose time is up when the clock shows `time_ms`.
  [[nodiscard]] std::set<Who> late_at(uint64_t time_ms) const;
  [[nodiscard]] std::optional<uint64_t> state_due() const {
    return const_cast<Stage*>(this)->ledger().next_due_ms();  // NOLINT: a test's shortcut
  }

 private:
  static const Trace& traces(bool lies) {
    static const Trace truth(1);
    static const Trace lie = Trace::lying();
    return lies ? lie : truth;
  }
  void audit_moves(const Claim& claim, uint32_t i, std::vector<Move>& moves) const {
    switch (claim.audit.phase) {
      case AuditPhase::drawn:
        moves.push_back({Act::commit, i});
        break;
      case AuditPhase::committed:
        moves.push_back({Act::salts, i});
        break;
      case AuditPhase::opened:
      case AuditPhase::unopened:
        moves.push_back({Act::audit, i});
        break;
      case AuditPhase::must_challenge:
        moves.push_back({Act::challenge, i});
        break;
      default:
        break;
    }
  }
  void dispute_moves(const ClaimId& id, uint32_t i, std::vector<Move>& moves) const {
    const auto found = state().disputes.find({id, 0});
    if (found == state().disputes.end()) {
      if (play_.meddler && i == 0) {
        moves.push_back({state().turns.empty() ? Act::turn : Act::meddle, i});
      }
      return;
    }
    if (found->second.asked) {
      moves.push_back({Act::answer, i});
      if (play_.lie && i == 0) {
        moves.push_back({Act::false_answer, i});
      }
      return;
    }
    moves.insert(moves.end(), {{Act::ask_list, i}, {Act::ask_product, i}, {Act::prove, i}});
  }
  [[nodiscard]] std::optional<Who> who(const PublicKey& node) const {
    for (size_t i = 0; i < who_count; ++i) {
      if (party(static_cast<Who>(i)).node.public_key() == node) {
        return static_cast<Who>(i);
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] const crypto::SecretKey& key_of(const PublicKey& node) const {
    return party(*who(node)).node;
  }

  Play play_;
  std::array<LeaseId, 2> leases_;
  std::vector<Work> works_;   // as claimed
  std::vector<Work> truths_;  // as an auditor computes them
};

inline std::pair<crypto::SecretKey, model::Transaction> Stage::transaction_of(
    const Move& move) const {
  const uint32_t i = move.claim;
  const Party& provider = providers.at(i);
  const ClaimId id = claim_of(i).value_or(ClaimId{});
  const auto dispute = state().disputes.find({id, 0});
  const auto challenger = [&] { return key_of(dispute->second.challenger); };
  const model::Challenge false_challenge{id, 0, some_hash(50), some_hash(51)};
  switch (move.act) {
    case Act::claim:
      return {provider.node,
              model::PostClaim{leases_.at(i), {works_[i].entry(i > 0 || !play_.unsigned_work)}}};
    case Act::reveal:
      return {requester.node,
              model::RevealPreimage{job_id(), chain_of(job_id()).at(job(job_id()).revealed + 1)}};
    case Act::commit: {
      const crypto::SecretKey& key = key_of(audit(id).auditor);
      return {key, commit(id, key, {truths_[i]})};
    }
    case Act::salts:
      return {provider.node, salts(id, {works_[i]})};
    case Act::audit:
      return {key_of(audit(id).auditor), reveal_of(id, {truths_[i]})};
    case Act::challenge:
      return {key_of(audit(id).auditor), model::Challenge{id, 0, truths_[i].output_root, {}}};
    case Act::ask_list:
      return {challenger(), model::AskOpen{id, 0, task_list()}};
    case Act::ask_product:
      return {challenger(), model::AskOpen{id, 0, tensor(0, 1)}};
    case Act::answer:
    case Act::false_answer: {
      model::Answer answer =
          answer_to(traces(play_.lie && i == 0), works_[i], *dispute->second.asked);
      if (move.act == Act::false_answer) {
        answer.hashes.back() = some_hash(3);
      }
      return {provider.node, model::PostAnswer{id, 0, answer}};
    }
    case Act::prove:
      return {challenger(), model::PostProof{id, 0, product_proof(traces(false))}};
    case Act::turn:
      return {requester.node,
              model::CommitChallenge{commitment_of(requester.node, false_challenge)}};
    case Act::meddle:
      return {requester.node, false_challenge};
    case Act::close:
    case Act::tick:
      break;
  }
  return {requester.node, model::CloseJob{job_id()}};
}

inline std::set<Who> Stage::late_at(uint64_t time_ms) const {
  std::set<Who> late;
  const auto add = [&](const PublicKey& node) {
    if (const auto found = who(node)) {
      late.insert(*found);
    }
  };
  for (const auto& [id, claim] : state().claims) {
    const Audit& audit = claim.audit;
    if (audit.phase < AuditPhase::drawn || audit.phase > AuditPhase::must_challenge ||
        audit.deadline_ms > time_ms) {
      continue;
    }
    add(audit.phase == AuditPhase::committed ? lease(claim.lease).node : audit.auditor);
  }
  for (const auto& [key, dispute] : state().disputes) {
    if (dispute.deadline_ms <= time_ms) {
      add(dispute.asked ? lease(claim(key.first).lease).node : dispute.challenger);
    }
  }
  return late;
}

}  // namespace lockstep::ledger::test
