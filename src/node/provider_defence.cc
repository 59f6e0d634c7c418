// How a provider stands by its claims: salts for auditors, answers for challengers. What is to be
// done is read off the ledger's state; news only say where to look.
#include "base/check.h"
#include "node/provider_impl.h"

namespace lockstep::node {

bool Provider::Impl::is_mine(const model::ClaimId& id) const {
  const auto& claims = ledger->state().claims;
  const auto claim = claims.find(id);
  if (claim == claims.end()) {
    return false;
  }
  const ledger::Lease* lease = lease_of(claim->second.lease);
  return lease != nullptr && lease->node == ledger->self();
}

void Provider::Impl::transaction_failed(const model::TransactionId& id) {
  for (auto& [lease_id, lease] : leases) {
    if (lease.pending && lease.pending->id == id) {
      claim_failed(lease);
    }
  }
  for (auto& [claim, opening] : openings) {
    opening.submitted = opening.submitted && opening.transaction != id;
  }
  for (auto& [key, defence] : defences) {
    defence.submitted = defence.submitted && defence.transaction != id;
  }
}

void Provider::Impl::open_salts(uint64_t now) {
  const auto& claims = ledger->state().claims;
  std::erase_if(openings, [&](const auto& entry) {
    const auto claim = claims.find(entry.first);
    return claim == claims.end() || claim->second.audit.phase != ledger::AuditPhase::committed;
  });
  for (auto& [id, opening] : openings) {
    if (opening.submitted && now - opening.submitted_ms < again_ms()) {
      continue;
    }
    const ledger::Claim& claim = claims.at(id);
    model::OpenSalts body{id, {}};
    for (const uint32_t task : claim.audit.tasks) {
      CHECK(task < claim.tasks.size());  // the ledger drew it
      body.salts.push_back(salt_of(claim.tasks[task].id));
    }
    opening = {true, ledger->submit(now, std::move(body)), now};
  }
}

const model::TaskId* Provider::Impl::disputed_task(const ledger::DisputeKey& key) const {
  const auto claim = ledger->state().claims.find(key.first);
  if (claim == ledger->state().claims.end() || key.second >= claim->second.tasks.size()) {
    return nullptr;
  }
  return &claim->second.tasks[key.second].id;
}

void Provider::Impl::defend(uint64_t now) {
  for (auto it = defences.begin(); it != defences.end();) {
    it = defend_one(now, it->first, it->second) ? std::next(it) : defences.erase(it);
  }
}

bool Provider::Impl::defend_one(uint64_t now, const ledger::DisputeKey& key, Defence& defence) {
  const auto dispute = ledger->state().disputes.find(key);
  const model::TaskId* id = disputed_task(key);
  if (dispute == ledger->state().disputes.end() || id == nullptr || !tasks.contains(*id)) {
    return false;
  }
  const HeldTask& task = tasks.at(*id);
  const std::optional<model::Place>& asked = dispute->second.asked;
  if (!asked || defence.preparing || task.stage != HeldTask::Stage::delivered) {
    return true;
  }
  if (defence.place != *asked) {
    defence.place = *asked;
    defence.submitted = false;
    defence.tries = 0;
  }
  if (defence.submitted && now - defence.submitted_ms < again_ms()) {
    return true;
  }
  if (!defence.witness) {
    const judge::Registered* program = ledger->state().programs.find(task.assignment.program);
    CHECK(program != nullptr);  // the claim named it
    defence.witness.emplace(
        program->program, task.assignment.steps, task.assignment.claim_every, task.kept.roots);
  }
  Result<attest::Witness::Reply> reply = defence.witness->answer(*asked, salt_of(*id));
  if (!reply.ok()) {
    return true;  // there is no such place: nothing can be said
  }
  Work work;
  work.task = *id;
  work.dispute = key;
  if (auto* answer = std::get_if<model::Answer>(&*reply)) {
    post_answer(now, key, defence, std::move(*answer));
  } else if (const auto* trace = std::get_if<attest::NeedTrace>(&*reply)) {
    work.kind = WorkKind::trace;
    work.step = trace->step;
    prepare(now, defence, work);
  } else {
    work.kind = WorkKind::steps;
    prepare(now, defence, work);
  }
  return true;
}

void Provider::Impl::post_answer(uint64_t now,
                                 const ledger::DisputeKey& key,
                                 Defence& defence,
                                 model::Answer answer) {
  defence.submitted = true;
  defence.submitted_ms = now;
  defence.transaction =
      ledger->submit(now, model::PostAnswer{key.first, key.second, std::move(answer)});
}

void Provider::Impl::prepare(uint64_t now, Defence& defence, const Work& work) {
  if (defence.tries >= defence_tries_max) {
    return;
  }
  ++defence.tries;
  defence.preparing = work;
  const HeldTask& task = tasks.at(work.task);
  const judge::Registered* program = ledger->state().programs.find(task.assignment.program);
  CHECK(program != nullptr);  // the claim named it
  const uint64_t group = next_group++;
  groups[group] = work.dispute;
  blobs.fetch(now, group, blobs_of(task.assignment, *program), task.requester());
}

void Provider::Impl::prepared(const Work& work, WorkDone done) {
  const auto found = defences.find(work.dispute);
  if (found == defences.end() || !found->second.witness) {
    return;
  }
  Defence& defence = found->second;
  defence.preparing.reset();
  if (!done.result.ok()) {
    return;  // it is tried again, a few times
  }
  if (auto* trace = std::get_if<model::StepTrace>(&*done.result)) {
    defence.witness->set_trace(std::move(*trace));
  } else if (auto* steps = std::get_if<std::vector<Hash>>(&*done.result)) {
    defence.witness->set_steps(std::move(*steps));
  }
}

}  // namespace lockstep::node
