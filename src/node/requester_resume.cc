// A requester's next life: what its book says, compared with what the ledger says. Notices of
// rounds and of the end are told again; whoever listens is new, too.
#include <algorithm>

#include "node/requester.h"

namespace lockstep::node {
namespace {

model::Execution execution_of(const model::TaskTag& tag,
                              const std::vector<model::TensorRef>& leaves) {
  model::Execution execution;
  execution.tag = tag;
  execution.leaves = leaves;
  return execution;
}

}  // namespace

Result<void> Requester::restore() {
  RequesterBook::Kept kept = TRY(book_->load());
  next_id_ = kept.next_id;
  if (!kept.job) {
    return {};
  }
  resumed_ = true;
  kept_ = std::move(*kept.job);
  if (kept_.failure) {
    failure_ = Error{static_cast<Code>(kept_.failure->code),
                     kept_.failure->where,
                     kept_.failure->what,
                     kept_.failure->next};
  }
  for (const model::Signed& quote : kept_.quotes) {
    quotes_[quote.signer] = quote;
  }
  for (model::Signed& assignment : kept.placed) {
    const auto body = TRY(codec::decode<model::Assignment>(assignment.body));
    kept_placed_[model::tag_of(body)] = std::move(assignment);
  }
  return restore_results(std::move(kept.accepted));
}

/// The planner gets every result once what it read is there. Those that do not fit are of work that
/// became void when the book could not be changed: it is planned again.
Result<void> Requester::restore_results(std::vector<KeptResult> results) {
  std::map<model::TaskTag, std::pair<model::Assignment, KeptResult>> kept;
  for (KeptResult& result : results) {
    auto body = TRY(codec::decode<model::Assignment>(result.entry.assignment.body));
    const model::TaskTag tag = model::tag_of(body);
    kept[tag] = {std::move(body), std::move(result)};
  }
  std::vector<model::Task> tasks = TRY(planner_->advance({}));
  while (!tasks.empty()) {
    std::vector<model::Execution> finished;
    for (model::Task& task : tasks) {
      const auto found = kept.find(task.tag);
      if (found == kept.end() || !is_result_of(task, found->second.first)) {
        ready_.push_back(std::move(task));
        continue;
      }
      const auto& [assignment, result] = found->second;
      Accepted accepted{model::task_id(result.entry.assignment),
                        assignment.lease,
                        result.entry.receipt.signer,
                        result.entry,
                        result.accepted_ms,
                        {}};
      for (const net::OutputLeaf& leaf : result.leaves) {
        accepted.leaves.push_back({leaf.root, leaf.data});
      }
      finished.push_back(execution_of(task.tag, accepted.leaves));
      accepted_[task.tag] = std::move(accepted);
    }
    if (finished.empty()) {
      break;
    }
    tasks = TRY(planner_->advance(finished));
  }
  return {};
}

/// Whether this is the work, on these inputs.
bool Requester::is_result_of(const model::Task& task, const model::Assignment& kept) const {
  if (kept.program != task.program->root || kept.leaves.size() != task.leaves.size()) {
    return false;
  }
  for (size_t i = 0; i < task.leaves.size(); ++i) {
    const model::LeafInput& leaf = task.leaves[i];
    const auto source = leaf.task ? accepted_.find(*leaf.task) : accepted_.end();
    const bool fits = kept.leaves[i].tensor == leaf.tensor &&
                      kept.leaves[i].source.has_value() == leaf.task.has_value() &&
                      (!leaf.task || (source != accepted_.end() &&
                                      source->second.id == kept.leaves[i].source->task));
    if (!fits) {
      return false;
    }
  }
  return true;
}

/// Nothing is said before the ledger is known up to its last block: an old one would have it all
/// said again.
void Requester::resume(uint64_t now_ms) {
  if (!caught_up_) {
    return;
  }
  since_ms_ = now_ms;
  if (find_job()) {
    take_up_job(now_ms);
    return;
  }
  phase_ = Phase::opening;
  if (kept_.open) {
    asked_owner_ = true;
    ledger_->submit_signed(now_ms, *kept_.open);
  }
}

void Requester::take_up_job(uint64_t now_ms) {
  tell_again();
  const ledger::JobStatus status = ledger_->state().jobs.at(*job_id_).status;
  closing_ = status != ledger::JobStatus::open || failure_;
  if (closing_ && !failure_ && !planner_->done()) {
    failure_ = refuse(Code::wrong_state,
                      "the job was closed before it was done",
                      "run it again; a job that is left alone for too long is closed");
  }
  if (status == ledger::JobStatus::settled) {
    end_job();
    return;
  }
  phase_ = closing_ ? Phase::closing : Phase::running;
  if (closing_) {
    return;
  }
  find_leases_again(now_ms);
  take_up_placed(now_ms);
  open_leases_again(now_ms);
  undo(now_ms, {});
}

void Requester::tell_again() {
  for (const auto& [tag, accepted] : accepted_) {
    effects_.push_back(Tell{TaskPlaced{accepted.id, tag, accepted.node}});
    effects_.push_back(Tell{TaskAccepted{accepted.id}});
    if (const auto milestone = planner_->milestone(execution_of(tag, accepted.leaves))) {
      tell_round(*milestone);
    }
  }
  if (planner_->done() && !failure_) {
    tell_finished();
  }
}

/// Tasks that somebody works on are not given to others.
void Requester::take_up_placed(uint64_t now_ms) {
  std::deque<model::Task> left;
  for (model::Task& task : std::exchange(ready_, {})) {
    const auto kept = kept_placed_.find(task.tag);
    const auto assignment = kept == kept_placed_.end()
                                ? Result<model::Assignment>(refuse(Code::wrong_task, ""))
                                : codec::decode<model::Assignment>(kept->second.body);
    const auto worker = std::find_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
      return assignment.ok() && entry.second.lease == assignment->lease;
    });
    if (worker == workers_.end() || assignment_of(task, assignment->lease) != *assignment) {
      left.push_back(std::move(task));
      continue;
    }
    Placed placed;
    placed.task = std::move(task);
    placed.assignment = *assignment;
    placed.signed_assignment = kept->second;
    placed.node = worker->first;
    placed.placed_ms = now_ms;  // sent again at once
    const model::TaskId id = model::task_id(placed.signed_assignment);
    worker->second.in_hand.insert(id);
    effects_.push_back(Tell{TaskPlaced{id, placed.task.tag, placed.node}});
    placed_.emplace(id, std::move(placed));
  }
  ready_ = std::move(left);
  kept_placed_.clear();
}

/// Of quotes that were accepted and never became leases. One whose lease is over is of no use.
void Requester::open_leases_again(uint64_t now_ms) {
  std::set<PublicKey> leased;
  for (const auto& [id, lease] : ledger_->state().leases) {
    if (lease.job == *job_id_) {
      leased.insert(lease.node);
    }
  }
  for (const model::Signed& quote : kept_.quotes) {
    if (!leased.contains(quote.signer)) {
      opening_[quote.signer] = ledger_->submit(now_ms, model::OpenLease{*job_id_, quote});
    }
  }
}

/// An earlier life's transactions may still come into blocks, with nonces that this one has used
/// again: what counts is which leases there are, not which were asked for.
void Requester::find_leases_again(uint64_t now_ms) {
  const bool closes = now_ms >= closed_ms_ + submit_again_ms;
  for (const auto& [id, lease] : ledger_->state().leases) {
    if (lease.job != *job_id_ || lease.status != ledger::LeaseStatus::open) {
      continue;
    }
    if (given_up_.contains(id)) {
      if (closes) {
        closed_ms_ = now_ms;
        ledger_->submit(now_ms, model::CloseLease{id});
      }
    } else if (!workers_.contains(lease.node)) {
      opening_.erase(lease.node);
      workers_[lease.node] = Worker{id, lease.operations_per_second, now_ms, 0, {}};
    }
  }
  std::erase_if(opening_, [&](const auto& entry) { return !ledger_->is_waiting(entry.second); });
}

void Requester::close_again(uint64_t now_ms) {
  const ledger::Job& job = ledger_->state().jobs.at(*job_id_);
  if (resumed_ && job.status == ledger::JobStatus::open && now_ms >= closed_ms_ + submit_again_ms) {
    closed_ms_ = now_ms;
    ledger_->submit(now_ms, model::CloseJob{*job_id_});
  }
}

}  // namespace lockstep::node
