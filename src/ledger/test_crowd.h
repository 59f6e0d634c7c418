// For tests only: somebody who sends random transactions, good and bad, honest and lying, of every
// kind.
#pragma once

#include <set>

#include "ledger/test_audit.h"

namespace lockstep::ledger::test {

using model::SignedKind;

/// Somebody who sends anything, mostly something that has a chance.
class Crowd {
 public:
  explicit Crowd(uint64_t seed, model::Genesis rules = {})
      : world(true, std::move(rules)), random_(seed) {
    for (const Party& party : world.providers) {
      keys_.push_back(party.owner);
      keys_.push_back(party.node);
    }
    for (const Party& party : {world.requester, world.auditor}) {
      keys_.push_back(party.owner);
      keys_.push_back(party.node);
    }
    keys_.push_back(world.stranger);
  }

  /// A transaction's signer and body.
  std::pair<crypto::SecretKey, model::Transaction> next() {
    switch (random_.below(17)) {
      case 0:
        return {any_key(), model::Transfer{any_key().public_key(), any_amount()}};
      case 1:
        return some_node();
      case 2:
        return {any_key(), model::AddStake{any_amount()}};
      case 3:
        return {any_key(), model::WithdrawStake{any_amount()}};
      case 4:
        return {or_any(world.requester.owner), some_terms()};
      case 5:
      case 6:
        return some_lease();
      case 7:
        return {or_any(world.requester.node), model::CloseLease{pick(world.state().leases)}};
      case 8:
        if (random_.chance(8)) {
          return {or_any(world.requester.node), model::CloseJob{pick(world.state().jobs)}};
        }
        return some_claim();
      case 9:
      case 10:
      case 11:
        return some_claim();
      case 12:
        return some_preimage();
      case 13:
      case 14:
        return some_challenge();
      default:
        return some_audit();
    }
  }

  void close_all() {
    for (const auto& [id, job] : std::map(world.state().jobs)) {
      world.send(world.requester.node, model::CloseJob{id});
    }
  }

  World world;

 private:
  const crypto::SecretKey& any_key() { return keys_[random_.below(keys_.size())]; }
  const crypto::SecretKey& or_any(const crypto::SecretKey& key) {
    return random_.chance(8) ? any_key() : key;
  }
  const crypto::SecretKey& key_of(const PublicKey& node) {
    for (const crypto::SecretKey& key : keys_) {
      if (key.public_key() == node) {
        return or_any(key);
      }
    }
    return any_key();
  }
  Amount any_amount() {
    return nano(static_cast<int64_t>(random_.next() >> random_.below(64)) *
                (random_.chance(8) ? -1 : 1));
  }
  /// A key of the map; sometimes one that is not there.
  template <class Map>
  typename Map::key_type pick(const Map& map) {
    if (map.empty() || random_.chance(16)) {
      return {};
    }
    auto at = map.begin();
    std::advance(at, static_cast<int64_t>(random_.below(map.size())));
    return at->first;
  }
  /// Mostly with the node's consent to the owner that registers it.
  std::pair<crypto::SecretKey, model::Transaction> some_node() {
    const crypto::SecretKey& owner = any_key();
    const Party party = {or_any(owner), some_key(random_.below(30))};
    return {owner, world.registration(party, static_cast<model::Role>(random_.below(3)))};
  }
  const Party& any_provider() { return world.providers[random_.below(3)]; }

  model::OpenJob some_terms() {
    model::OpenJob terms = world.terms();
    terms.operations = world.step_cost() * (1 + random_.below(40));
    terms.tasks = 1 + random_.below(40);
    terms.price_per_unit = nano(static_cast<int64_t>(random_.next() >> (14 + random_.below(20))));
    const std::array<uint32_t, 3> shares = {0, 300'000, 1'000'000};
    terms.share_millionths = shares[random_.below(3)];
    if (random_.chance(2)) {
      terms.finality = model::FinalityRule::span;
      terms.span_ms = 1 + random_.below(5000);
    }
    return terms;
  }

  std::pair<crypto::SecretKey, model::Transaction> some_lease() {
    const JobId id = pick(world.state().jobs);
    const Party& provider = any_provider();
    model::Quote quote = world.quote(provider);
    const auto found = world.state().jobs.find(id);
    if (found != world.state().jobs.end()) {
      quote.price_per_unit = found->second.terms.price_per_unit;
    }
    quote.operations_per_second = random_.below(100);
    const auto paper = world.sign_as(provider.node, SignedKind::quote, codec::encode(quote));
    return {or_any(world.requester.node), model::OpenLease{id, paper}};
  }

  std::pair<crypto::SecretKey, model::Transaction> some_claim() {
    const LeaseId id = pick(world.state().leases);
    const auto found = world.state().leases.find(id);
    if (found == world.state().leases.end()) {
      return {any_key(), model::PostClaim{id, {}}};
    }
    model::PostClaim body{id, {}};
    const uint64_t count = 1 + random_.below(4);
    for (uint64_t i = 0; i < count; ++i) {
      WorkPlan plan;
      plan.part = static_cast<uint32_t>(random_.chance(16) ? random_.below(50) : part_++);
      plan.steps = 1 + static_cast<uint32_t>(random_.below(3));
      for (uint64_t reads = random_.below(3); reads > 0; --reads) {
        plan.reads.push_back(works_.empty() ? TaskId{} : pick(works_));
      }
      const Party& provider = provider_of(found->second);
      const bool real = random_.chance(3);
      const auto trace = random_.chance(2) ? Trace::lying() : Trace(1);
      const Work work =
          real ? trace.work(world, id, provider, plan) : world.work(id, provider, plan);
      works_[work.id] = work;
      if (real) {
        traces_.emplace(work.id, trace);
      }
      body.entries.push_back(work.entry(!random_.chance(4)));
    }
    return {key_of(random_.chance(8) ? world.requester.node.public_key() : found->second.node),
            body};
  }
  const Party& provider_of(const Lease& lease) {
    for (const Party& party : world.providers) {
      if (party.node.public_key() == lease.node && !random_.chance(30)) {
        return party;
      }
    }
    return any_provider();
  }

  std::pair<crypto::SecretKey, model::Transaction> some_preimage() {
    const JobId id = pick(world.state().jobs);
    const auto found = world.state().jobs.find(id);
    const uint64_t known = found == world.state().jobs.end() ? 0 : found->second.revealed;
    const uint64_t next = random_.chance(8) ? random_.below(50) : known + 1;
    const auto& chain =
        found == world.state().jobs.end() ? World::requester_chain() : world.chain_of(id);
    return {or_any(world.requester.node), model::RevealPreimage{id, chain.at(next)}};
  }

  /// The roots an auditor finds: the claimed ones, or now and then others.
  std::vector<Hash> audited(const Task& task) {
    std::vector<Hash> roots = works_.at(task.id).roots;
    if (lies_.contains(task.id)) {
      roots[0].bytes[0] ^= 1;
    }
    return roots;
  }

  std::pair<crypto::SecretKey, model::Transaction> some_audit() {
    const ClaimId id = pick_audited();
    const auto found = world.state().claims.find(id);
    if (found == world.state().claims.end()) {
      return {any_key(), model::CommitAudit{id, {}}};
    }
    const Claim& claim = found->second;
    const Audit& audit = claim.audit;
    const crypto::SecretKey& auditor = key_of(audit.auditor);
    model::CommitAudit commit{id, {}};
    model::OpenSalts salts{id, {}};
    model::RevealAudit reveal{id, {}};
    for (const uint32_t place : audit.tasks) {
      const Task& task = claim.tasks[place];
      if (audit.phase == AuditPhase::drawn && random_.chance(6)) {
        lies_.insert(task.id);
      }
      commit.commitments.push_back(
          model::audit_commitment(audited(task), audit.auditor, some_hash(1)));
      salts.salts.push_back(works_.at(task.id).salt);
      reveal.tasks.push_back({audited(task), some_hash(1)});
    }
    switch (audit.phase) {
      case AuditPhase::committed:
        return {key_of(world.state().leases.at(claim.lease).node), salts};
      case AuditPhase::opened:
      case AuditPhase::unopened:
        return {auditor, reveal};
      case AuditPhase::must_challenge:
        return {auditor, model::Challenge{id, audit.disagreed.front(), some_hash(2), some_hash(1)}};
      default:
        return {auditor, commit};
    }
  }
  ClaimId pick_audited() {
    std::map<ClaimId, bool> open;
    for (const auto& [id, claim] : world.state().claims) {
      if (claim.audit.phase >= AuditPhase::drawn && claim.audit.phase < AuditPhase::done) {
        open[id] = true;
      }
    }
    return pick(open);
  }

  ClaimId pick_unfinal() {
    std::map<ClaimId, bool> open;
    for (const auto& [id, claim] : world.state().claims) {
      if (!claim.final) {
        open[id] = true;
      }
    }
    return pick(open);
  }
  std::pair<crypto::SecretKey, model::Transaction> some_challenge() {
    if (!world.state().disputes.empty() && !random_.chance(4)) {
      return some_move();
    }
    const auto by = or_any(world.auditor.node);
    if (planned_ && !random_.chance(3)) {
      return {by, *planned_};
    }
    planned_ = model::Challenge{pick_unfinal(),
                                static_cast<uint32_t>(random_.chance(2) ? 0 : random_.below(3)),
                                some_hash(random_.below(5)),
                                some_hash(1)};
    const model::Challenge& plan = *planned_;
    const Hash commitment = model::challenge_commitment(
        plan.claim, plan.task, plan.own_root, by.public_key(), plan.salt);
    return {by, model::CommitChallenge{commitment}};
  }
  std::pair<crypto::SecretKey, model::Transaction> some_move() {
    auto open = world.state().disputes.begin();
    std::advance(open, static_cast<int64_t>(random_.below(world.state().disputes.size())));
    const auto& [key, dispute] = *open;
    const Task& task = world.state().claims.at(key.first).tasks[key.second];
    const auto trace = traces_.find(task.id);
    if (trace != traces_.end() && !random_.chance(6)) {
      return good_move(key, dispute, trace->second);
    }
    if (!dispute.asked) {
      model::Place place;
      place.tree = static_cast<model::Tree>(random_.below(4));
      return {key_of(dispute.challenger), model::AskOpen{key.first, key.second, place}};
    }
    model::Answer answer;
    answer.place = *dispute.asked;
    const auto found = works_.find(task.id);
    if (found != works_.end() && !random_.chance(4)) {
      answer.salt = found->second.salt;
      answer.hashes = found->second.roots;
    }
    const Lease& lease = world.state().leases.at(world.state().claims.at(key.first).lease);
    return {random_.chance(2) ? any_key() : key_of(lease.node),
            model::PostAnswer{key.first, key.second, answer}};
  }
  /// The shortest way to a verdict over the product of the only step.
  std::pair<crypto::SecretKey, model::Transaction> good_move(const DisputeKey& key,
                                                             const Dispute& dispute,
                                                             const Trace& trace) {
    const auto& [claim, task] = key;
    const Claim& about = world.state().claims.at(claim);
    const crypto::SecretKey& challenger = key_of(dispute.challenger);
    if (dispute.asked) {
      const bool known =
          dispute.asked->tree == model::Tree::task || dispute.asked->tree == model::Tree::tensor;
      const model::Place place = known ? *dispute.asked : model::Place{};
      const auto answer = answer_to(trace, works_.at(about.tasks[task].id), place);
      return {key_of(world.state().leases.at(about.lease).node),
              model::PostAnswer{claim, task, answer}};
    }
    if (dispute.answers < 2) {
      const model::Place place = dispute.answers == 0 ? task_list() : tensor(0, 1);
      return {challenger, model::AskOpen{claim, task, place}};
    }
    return {challenger, model::PostProof{claim, task, product_proof(trace)}};
  }

  Random random_;
  std::vector<crypto::SecretKey> keys_;
  std::map<TaskId, Work> works_;
  std::map<TaskId, Trace> traces_;
  std::set<TaskId> lies_;
  std::optional<model::Challenge> planned_;
  uint32_t part_ = 1000;
};

}  // namespace lockstep::ledger::test
