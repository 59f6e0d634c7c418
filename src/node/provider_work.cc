// What a provider's machine does: inputs are fetched, tasks run one after the other, receipts are
// written down, and only then delivered.
#include <algorithm>

#include "attest/witness.h"
#include "base/check.h"
#include "base/mutant.h"
#include "node/provider_impl.h"

namespace lockstep::node {

void Provider::Impl::blobs_moved() {
  for (const uint64_t group : blobs.take_ready()) {
    const auto found = groups.extract(group);
    if (found.empty()) {
      continue;
    }
    if (const auto* id = std::get_if<model::TaskId>(&found.mapped())) {
      const auto task = tasks.find(*id);
      CHECK(task != tasks.end());  // its group goes with it
      task->second.stage = HeldTask::Stage::ready;
      ready.push_back(*id);
      continue;
    }
    const auto defence = defences.find(std::get<ledger::DisputeKey>(found.mapped()));
    if (defence != defences.end() && defence->second.preparing) {
      urgent.push_back(*defence->second.preparing);
    }
  }
  for (const BlobClient::Failure& failure : blobs.take_failures()) {
    group_failed(failure);
  }
}

void Provider::Impl::group_failed(const BlobClient::Failure& failure) {
  blobs.forget(failure.group);
  const auto found = groups.extract(failure.group);
  if (found.empty()) {
    return;
  }
  if (const auto* id = std::get_if<model::TaskId>(&found.mapped())) {
    give_back(*id, failure.error);
    return;
  }
  const auto defence = defences.find(std::get<ledger::DisputeKey>(found.mapped()));
  if (defence != defences.end()) {
    defence->second.preparing.reset();
  }
}

/// What has a deadline goes first; then tasks in the order of arrival, of requesters that sign.
std::optional<Work> Provider::Impl::next_work() {
  if (!urgent.empty()) {
    Work work = urgent.front();
    urgent.pop_front();
    return work;
  }
  for (auto next = ready.begin(); next != ready.end();) {
    const auto task = tasks.find(*next);
    if (task == tasks.end() || task->second.stage != HeldTask::Stage::ready) {
      next = ready.erase(next);
    } else if (unsigned_tasks(task->second.requester()) >= unsigned_tasks_max) {
      ++next;
    } else {
      Work work;
      work.task = *next;
      ready.erase(next);
      return work;
    }
  }
  return std::nullopt;
}

Result<RunTask> Provider::Impl::run_of(const Work& work) {
  const auto held = tasks.find(work.task);
  if (held == tasks.end()) {
    return refuse(Code::wrong_task, "the task is not held any more");
  }
  const model::Assignment& assignment = held->second.assignment;
  const judge::Registered* program = ledger->state().programs.find(assignment.program);
  CHECK(program != nullptr);  // programs are never forgotten
  const auto ref = programs.try_emplace(program->root, program_ref(*program)).first;
  return RunTask{work.id, work.kind, TRY(task_of(assignment, *program, ref->second)), work.step};
}

void Provider::Impl::start_work() {
  while (!running) {
    std::optional<Work> work = next_work();
    if (!work) {
      return;
    }
    work->id = next_work_id++;
    Result<RunTask> run = run_of(*work);
    if (run.ok()) {
      if (work->kind == WorkKind::execute) {
        tasks.at(work->task).stage = HeldTask::Stage::running;
      }
      running = std::move(work);
      effects->push_back(std::move(run).value());
    } else if (work->kind == WorkKind::execute) {
      give_back(work->task, run.error());
    } else {
      prepared(*work, WorkDone{work->id, run.error()});
    }
  }
}

void Provider::Impl::work_done(uint64_t now, WorkDone done) {
  if (!running || running->id != done.id) {
    return;
  }
  const Work work = *std::exchange(running, std::nullopt);
  if (work.kind == WorkKind::execute) {
    executed(now, work.task, done);
  } else {
    prepared(work, std::move(done));
  }
  pump(now);
}

Hash Provider::Impl::salt_of(const model::TaskId& id) const {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 salt");
  codec::Writer writer;
  writer.hash(setup.salt_seed);
  writer.hash(is_mutated(Mutant::salt_reused) ? Hash() : id.hash);
  return crypto::hash(mode, writer.bytes());
}

/// Makes the receipt and writes it down, before anybody else can know of it.
Result<KeptTask> Provider::Impl::keep(const model::TaskId& id, const model::Execution& execution) {
  const HeldTask& task = tasks.at(id);
  if (execution.input_root != task.input_root ||
      execution.leaves.size() != task.assignment.leaves.size()) {
    return refuse(Code::internal, "the machine ran another task than the one assigned");
  }
  KeptTask kept;
  kept.assignment = task.kept.assignment;
  const model::Receipt receipt = attest::make_receipt(task.assignment, id, execution, salt_of(id));
  const model::Context context{network, model::SignedKind::receipt, 0};
  kept.receipt = model::sign(setup.identity.key, context, codec::encode(receipt));
  kept.roots = attest::list_roots(execution, task.assignment.steps);
  for (const model::TensorRef& leaf : execution.leaves) {
    kept.leaves.push_back({leaf.root, leaf.data});
  }
  TRY(book.add(kept));
  return kept;
}

void Provider::Impl::executed(uint64_t now, const model::TaskId& id, const WorkDone& done) {
  const auto held = tasks.find(id);
  if (held == tasks.end() || held->second.stage != HeldTask::Stage::running) {
    return;
  }
  HeldTask& task = held->second;
  if (task.cancelled) {
    drop({id});
    return;
  }
  if (!done.result.ok()) {
    give_back(id, done.result.error());
    return;
  }
  const auto* execution = std::get_if<model::Execution>(&*done.result);
  if (execution == nullptr) {
    give_back(id, refuse(Code::internal, "the machine gave something else than an execution"));
    return;
  }
  const Result<void> pinned = pin(id, task.assignment, execution->leaves);
  Result<KeptTask> kept = pinned.ok() ? keep(id, *execution) : Result<KeptTask>(pinned.error());
  if (!kept.ok()) {
    give_back(id, kept.error());
    return;
  }
  task.kept = std::move(kept).value();
  task.output_root = execution->output_root;
  task.stage = HeldTask::Stage::delivered;
  task.delivered_ms = now;
  task.place = next_place++;
  to_claim[task.place] = id;
  to_deliver.insert(id);
  deliver(now, task);
}

// ---- deliveries

void Provider::Impl::deliver(uint64_t now, HeldTask& task) {
  task.sent_ms = now;
  send(task.requester(), net::Deliver{task.kept.receipt, task.kept.leaves});
}

void Provider::Impl::deliver_due(uint64_t now) {
  std::vector<model::TaskId> settled;
  for (const model::TaskId& id : to_deliver) {
    HeldTask& task = tasks.at(id);
    const bool is_signed = task.kept.voucher.has_value();
    if (is_signed && (task.sent_ms || ledger->state().claimed.contains(id))) {
      settled.push_back(id);
    } else if (is_signed && !ledger->has_heard()) {
      continue;  // whether it is claimed will be known soon
    } else if (!task.sent_ms || now - *task.sent_ms >= deliver_again_ms) {
      deliver(now, task);
    }
  }
  for (const model::TaskId& id : settled) {
    to_deliver.erase(id);
  }
}

void Provider::Impl::on(uint64_t /*now*/, const PublicKey& from, const net::GiveVoucher& given) {
  const auto voucher =
      model::open<model::Voucher>(given.voucher, network, model::SignedKind::voucher);
  if (!voucher.ok()) {
    return;
  }
  const auto found = tasks.find(voucher->task);
  if (found == tasks.end() || found->second.stage != HeldTask::Stage::delivered) {
    return;
  }
  HeldTask& task = found->second;
  const bool fits = given.voucher.signer == task.requester() && from == task.requester() &&
                    voucher->output_root == task.output_root;
  if (!fits || task.kept.voucher) {
    return;
  }
  KeptTask kept = task.kept;
  kept.voucher = given.voucher;
  // Where the store fails the next Deliver brings the voucher again.
  if (book.change(kept).ok()) {
    task.kept = std::move(kept);
    to_deliver.erase(voucher->task);
  }
}

bool Provider::Impl::reads_void(const model::Assignment& assignment) const {
  return std::any_of(assignment.leaves.begin(), assignment.leaves.end(), [&](const auto& leaf) {
    return leaf.source && ledger->state().voided.contains(leaf.source->task);
  });
}

bool Provider::Impl::reads_unclaimed(const model::Assignment& assignment) const {
  return std::any_of(assignment.leaves.begin(), assignment.leaves.end(), [&](const auto& leaf) {
    return leaf.source && !ledger->state().claimed.contains(leaf.source->task) &&
           !tasks.contains(leaf.source->task);
  });
}

size_t Provider::Impl::unsigned_tasks(const PublicKey& requester) const {
  // A task that was cancelled after its delivery counts: else reading and cancelling were free.
  const auto unread = [&](const auto& entry) {
    const HeldTask& task = entry.second;
    return task.stage == HeldTask::Stage::delivered && task.requester() == requester &&
           !task.kept.voucher && !task.written_off && takes_work(task.assignment.lease) &&
           !reads_void(task.assignment) && !ledger->state().claimed.contains(entry.first);
  };
  return static_cast<size_t>(std::count_if(tasks.begin(), tasks.end(), unread));
}

size_t Provider::Impl::unbacked_tasks(uint64_t now, const PublicKey& requester) const {
  const uint64_t patience_ms = setup.genesis.answer_ms * 4 / 5;
  const auto unbacked = [&](const auto& entry) {
    const HeldTask& task = entry.second;
    return task.stage == HeldTask::Stage::delivered && task.requester() == requester &&
           !task.written_off && takes_work(task.assignment.lease) &&
           now >= task.delivered_ms + patience_ms &&
           !ledger->state().voided.contains(entry.first) && !reads_void(task.assignment) &&
           reads_unclaimed(task.assignment);
  };
  return static_cast<size_t>(std::count_if(tasks.begin(), tasks.end(), unbacked));
}

void Provider::Impl::write_off(const model::JobId& job) {
  to_write_off[job] = unsigned_tasks_max;
  for (auto& [id, task] : tasks) {
    if (task.assignment.job == job && task.stage == HeldTask::Stage::delivered) {
      task.written_off = true;
    }
  }
}

void Provider::Impl::write_off_later(HeldTask& task) {
  const auto left = to_write_off.find(task.assignment.job);
  if (left == to_write_off.end() || left->second == 0 || task.written_off ||
      task.stage != HeldTask::Stage::delivered || task.kept.voucher ||
      !reads_unclaimed(task.assignment)) {
    return;
  }
  --left->second;
  task.written_off = true;
}

void Provider::Impl::give_back(const model::TaskId& id, const Error& error) {
  decline(tasks.at(id).requester(), id, error);
  drop({id});
}

void Provider::Impl::drop(const std::vector<model::TaskId>& ids) {
  for (const model::TaskId& id : ids) {
    const auto found = tasks.find(id);
    if (found == tasks.end()) {
      continue;
    }
    if (found->second.stage == HeldTask::Stage::fetching) {
      blobs.forget(found->second.group);
      groups.erase(found->second.group);
    }
    if (found->second.stage == HeldTask::Stage::delivered) {
      to_claim.erase(found->second.place);
    }
    to_deliver.erase(id);
    tasks.erase(found);
    (void)blobs.store().unpin(pin_name(id));
  }
  // What failing stores keep is dropped again after the next start.
  (void)book.erase(ids);
}

}  // namespace lockstep::node
