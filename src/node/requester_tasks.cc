// The requester's side of the work: placing tasks, reading outputs, placing again what is lost.
#include <algorithm>

#include "law/roots.h"
#include "node/requester.h"
#include "node/results_table.h"
#include "node/tasks.h"

namespace lockstep::node {
namespace {

constexpr uint64_t resend_ms = 2000;
constexpr uint64_t rest_ms = 500;

uint64_t stated_ms(uint64_t operations, uint64_t operations_per_second) {
  constexpr uint64_t ms_per_second = 1000;
  const uint64_t rate = std::max<uint64_t>(1, operations_per_second / ms_per_second);
  return operations / rate + 1;
}

model::Execution execution_of(const model::TaskTag& tag,
                              const std::vector<net::OutputLeaf>& leaves) {
  model::Execution execution;
  execution.tag = tag;
  for (const net::OutputLeaf& leaf : leaves) {
    execution.leaves.push_back({leaf.root, leaf.data});
  }
  return execution;
}

}  // namespace

void Requester::plan_more(uint64_t now_ms, std::span<const model::Execution> finished) {
  auto tasks = planner_->advance(finished);
  if (!tasks.ok()) {
    fail(now_ms, tasks.error());
    return;
  }
  for (model::Task& task : *tasks) {
    ready_.push_back(std::move(task));
  }
  place_tasks(now_ms);
}

Requester::Worker* Requester::free_worker(uint64_t now_ms, PublicKey& node) {
  Worker* best = nullptr;
  for (auto& entry : workers_) {
    Worker& worker = entry.second;
    const bool is_free =
        worker.in_hand.size() < tasks_in_hand_max && now_ms >= worker.rest_until_ms;
    const auto rank = [](const Worker& one) {
      return std::pair(one.in_hand.size(), UINT64_MAX - one.operations_per_second);
    };
    if (is_free && (best == nullptr || rank(worker) < rank(*best))) {
      best = &worker;
      node = entry.first;
    }
  }
  return best;
}

void Requester::place_tasks(uint64_t now_ms) {
  while (!ready_.empty() && phase_ == Phase::running) {
    PublicKey node;
    Worker* const worker = free_worker(now_ms, node);
    if (worker == nullptr) {
      return;
    }
    const model::Task task = std::move(ready_.front());
    ready_.pop_front();
    if (!assign(now_ms, task, *worker, node)) {
      ready_.push_front(task);
      return;  // the disk is full: with the next tick
    }
  }
}

model::Assignment Requester::assignment_of(const model::Task& task,
                                           const model::LeaseId& lease) const {
  model::Assignment assignment;
  assignment.job = *job_id_;
  assignment.lease = lease;
  assignment.kind = task.tag.kind;
  assignment.round = task.tag.round;
  assignment.part = task.tag.part;
  assignment.program = task.program->root;
  assignment.steps = task.steps;
  assignment.claim_every = task.claim_every;
  assignment.operations = task.operations;
  for (const model::LeafInput& leaf : task.leaves) {
    std::optional<model::TaskLeaf> source;
    if (leaf.task) {
      source = model::TaskLeaf{accepted_.at(*leaf.task).id, leaf.leaf};
    }
    assignment.leaves.push_back({leaf.tensor, source});
  }
  return assignment;
}

/// It is in the book before it is sent: who works on it is heard also after a crash, and paid.
bool Requester::assign(uint64_t now_ms,
                       const model::Task& task,
                       Worker& worker,
                       const PublicKey& node) {
  model::Assignment assignment = assignment_of(task, worker.lease);
  const model::Context context{ledger_->state().network, model::SignedKind::assignment, next_id_++};
  Placed placed;
  placed.task = task;
  placed.signed_assignment = model::sign(setup_.identity.key, context, codec::encode(assignment));
  if (!book_->place(task.tag, placed.signed_assignment, next_id_).ok()) {
    return false;
  }
  placed.assignment = std::move(assignment);
  placed.node = node;
  placed.placed_ms = now_ms;
  placed.sent_ms = now_ms;
  const model::TaskId id = model::task_id(placed.signed_assignment);
  worker.in_hand.insert(id);
  worker.heard_ms = std::max(worker.heard_ms, now_ms);
  effects_.push_back(Send{node, net::Assign{placed.signed_assignment}});
  effects_.push_back(Tell{TaskPlaced{id, task.tag, node}});
  placed_.emplace(id, std::move(placed));
  return true;
}

Result<void> Requester::check_delivery(const Placed& placed, const net::Deliver& deliver) const {
  const auto receipt = TRY(model::open<model::Receipt>(
      deliver.receipt, ledger_->state().network, model::SignedKind::receipt));
  const judge::Registered& program = *programs_.find(placed.assignment.program);
  const bool fits =
      deliver.receipt.signer == placed.node && receipt.lease == placed.assignment.lease &&
      receipt.task == model::task_id(placed.signed_assignment) && receipt.program == program.root &&
      receipt.law_version == program.program.version &&
      receipt.input_root == TRY(judge::input_root(program, placed.assignment.leaves)) &&
      deliver.leaves.size() == program.program.leaves.size();
  if (!fits) {
    return refuse(Code::wrong_claim, "a receipt does not fit its assignment");
  }
  std::vector<Hash> roots;
  for (size_t i = 0; i < deliver.leaves.size(); ++i) {
    const law::Leaf& leaf = program.program.leaves[i];
    const Hash& before = placed.assignment.leaves[i].tensor.root;
    const Hash root = law::tensor_root(leaf.shape, deliver.leaves[i].data);
    if (root != deliver.leaves[i].root || (!leaf.writer && root != before)) {
      return refuse(Code::wrong_claim, "an output leaf does not have its root", {}, leaf.name);
    }
    roots.push_back(root);
  }
  if (law::state_root(program.program, roots) != receipt.output_root) {
    return refuse(Code::wrong_claim, "the outputs do not have the receipt's root");
  }
  return {};
}

void Requester::on_deliver(uint64_t now_ms, const PublicKey& from, const net::Deliver& deliver) {
  const auto receipt = codec::decode<model::Receipt>(deliver.receipt.body);
  if (!receipt.ok()) {
    return;
  }
  const auto placed = placed_.find(receipt->task);
  if (placed == placed_.end()) {
    for (const auto& [tag, accepted] : accepted_) {
      if (accepted.id == receipt->task && accepted.node == from) {  // its voucher got lost
        effects_.push_back(Send{from, net::GiveVoucher{*accepted.entry.voucher}});
        return;
      }
    }
    if (phase_ >= Phase::running) {
      effects_.push_back(Send{from, net::CancelTask{receipt->task}});  // void, or done elsewhere
    }
    return;
  }
  if (placed->second.delivered || !check_delivery(placed->second, deliver).ok()) {
    return;
  }
  placed->second.delivered = deliver;
  placed->second.delivered_ms = now_ms;
  placed->second.group = next_id_++;
  groups_[placed->second.group] = receipt->task;
  effects_.push_back(Tell{TaskDelivered{receipt->task}});
  std::vector<Hash> addresses;
  for (const net::OutputLeaf& leaf : deliver.leaves) {
    addresses.push_back(leaf.data);
  }
  fetcher_->fetch(now_ms, placed->second.group, addresses, from);
}

void Requester::on_outputs(uint64_t now_ms, const model::TaskId& id) {
  const auto found = placed_.find(id);
  if (found == placed_.end() || !found->second.delivered) {
    return;
  }
  const law::Program& program = programs_.find(found->second.assignment.program)->program;
  for (size_t i = 0; i < program.leaves.size(); ++i) {
    const auto bytes = blobs_->get(found->second.delivered->leaves[i].data);
    const auto size = static_cast<size_t>(program.leaves[i].shape.bytes());
    if (!bytes.ok()) {
      found->second.delivered.reset();  // the disk has lost it: asked again when it delivers again
      return;
    }
    if (bytes->size() != size) {
      lose(now_ms, PublicKey(found->second.node), 0);  // it signed for something that is no tensor
      return;
    }
  }
  accept(now_ms, id);
}

/// In the book before the voucher leaves: what is signed for is never run again.
void Requester::accept(uint64_t now_ms, const model::TaskId& id) {
  Placed& delivered = placed_.at(id);
  const model::Signed& signed_receipt = delivered.delivered->receipt;
  const auto receipt = *codec::decode<model::Receipt>(signed_receipt.body);
  const model::Context context{ledger_->state().network, model::SignedKind::voucher, next_id_++};
  const model::Signed voucher = model::sign(
      setup_.identity.key, context, codec::encode(model::Voucher{id, receipt.output_root}));
  KeptResult result{
      {delivered.signed_assignment, signed_receipt, voucher}, delivered.delivered->leaves, now_ms};
  const model::TaskTag tag = delivered.task.tag;
  if (!book_->accept(tag, result, next_id_).ok()) {
    delivered.delivered.reset();  // the disk is full: when it delivers again
    return;
  }
  const Placed placed = std::move(delivered);
  placed_.erase(id);
  if (const auto worker = workers_.find(placed.node); worker != workers_.end()) {
    worker->second.in_hand.erase(id);
    worker->second.heard_ms = now_ms;
  }
  effects_.push_back(Send{placed.node, net::GiveVoucher{voucher}});
  effects_.push_back(Tell{TaskAccepted{id}});
  const model::Execution execution = execution_of(tag, result.leaves);
  accepted_[tag] = {
      id, placed.assignment.lease, placed.node, std::move(result.entry), now_ms, execution.leaves};
  plan_more(now_ms, std::span(&execution, 1));
  if (const auto milestone = planner_->milestone(execution)) {
    tell_round(*milestone);
  }
}

void Requester::on_decline(uint64_t now_ms, const PublicKey& from, const net::Decline& decline) {
  const auto found = placed_.find(decline.task);
  if (found == placed_.end() || found->second.node != from || found->second.delivered) {
    return;
  }
  effects_.push_back(Tell{TaskDeclined{found->second.task.tag, from, decline.reason}});
  ready_.push_front(std::move(found->second.task));
  placed_.erase(found);
  if (const auto worker = workers_.find(from); worker != workers_.end()) {
    worker->second.in_hand.erase(decline.task);
    worker->second.rest_until_ms = now_ms + rest_ms;
  }
}

void Requester::drop_silent(uint64_t now_ms) {
  constexpr uint64_t stated_times = 3;
  std::vector<std::pair<PublicKey, uint64_t>> silent;
  for (const auto& [node, worker] : workers_) {
    uint64_t longest = 0;
    for (const model::TaskId& id : worker.in_hand) {
      longest = std::max(longest, placed_.at(id).task.operations);
    }
    const uint64_t patience =
        std::max(silence_ms, stated_times * stated_ms(longest, worker.operations_per_second));
    const auto lease = ledger_->state().leases.find(worker.lease);
    const bool closed =
        lease == ledger_->state().leases.end() || lease->second.status != ledger::LeaseStatus::open;
    if (closed || now_ms > worker.heard_ms + patience || is_stuck(now_ms, worker)) {
      silent.emplace_back(node, closed ? 0 : now_ms - worker.heard_ms);
    }
  }
  for (const auto& [node, silent_ms] : silent) {
    lose(now_ms, node, silent_ms);
  }
}

/// Whether it speaks and does not work: a task is long overdue, or delivered and cannot be read.
bool Requester::is_stuck(uint64_t now_ms, const Worker& worker) const {
  constexpr uint64_t stated_times = 10;
  const uint64_t answer_ms = setup_.genesis.answer_ms;
  uint64_t operations = 0;  // one runs after the other
  for (const model::TaskId& id : worker.in_hand) {
    operations += placed_.at(id).task.operations;
  }
  const uint64_t work_ms = stated_times * stated_ms(operations, worker.operations_per_second);
  return std::any_of(worker.in_hand.begin(), worker.in_hand.end(), [&](const model::TaskId& id) {
    const Placed& placed = placed_.at(id);
    return placed.delivered ? now_ms > placed.delivered_ms + answer_ms && !is_being_audited(id)
                            : now_ms > placed.placed_ms + answer_ms + work_ms;
  });
}

bool Requester::is_being_audited(const model::TaskId& id) const {
  const ledger::State& state = ledger_->state();
  const auto claim = state.claimed.find(id);
  if (claim == state.claimed.end()) {
    return false;
  }
  const ledger::AuditPhase phase = state.claims.at(claim->second).audit.phase;
  return phase >= ledger::AuditPhase::waiting && phase <= ledger::AuditPhase::unopened;
}

/// An auditor that agrees has computed the outputs: it gives those that their provider does not.
void Requester::fetch_from_auditor(uint64_t now_ms, const ledger::AuditAgreed& agreed) {
  const auto claim = ledger_->state().claims.find(agreed.claim);
  if (claim == ledger_->state().claims.end()) {
    return;
  }
  for (const uint32_t place : claim->second.audit.tasks) {
    const auto placed = placed_.find(claim->second.tasks.at(place).id);
    if (placed == placed_.end() || !placed->second.delivered) {
      continue;
    }
    placed->second.delivered_ms = now_ms;
    std::vector<Hash> addresses;
    for (const net::OutputLeaf& leaf : placed->second.delivered->leaves) {
      addresses.push_back(leaf.data);
    }
    fetcher_->fetch(now_ms, placed->second.group, addresses, agreed.auditor);
  }
}

void Requester::lose(uint64_t now_ms, const PublicKey& node, uint64_t silent_ms) {
  const auto found = workers_.find(node);
  if (found == workers_.end()) {
    return;
  }
  const Worker worker = std::move(found->second);
  workers_.erase(found);
  given_up_.insert(worker.lease);
  LeaseLost lost{worker.lease, node, silent_ms, {}};
  for (const model::TaskId& id : worker.in_hand) {
    const auto placed = placed_.find(id);
    lost.tasks.push_back(placed->second.task.tag);
    groups_.erase(placed->second.group);
    fetcher_->forget(placed->second.group);
    ready_.push_front(std::move(placed->second.task));
    placed_.erase(placed);
  }
  const auto lease = ledger_->state().leases.find(worker.lease);
  if (lease != ledger_->state().leases.end() && lease->second.status == ledger::LeaseStatus::open) {
    ledger_->submit(now_ms, model::CloseLease{worker.lease});
  }
  effects_.push_back(Tell{std::move(lost)});
  place_tasks(now_ms);
}

void Requester::resend(uint64_t now_ms) {
  for (auto& [id, placed] : placed_) {
    if (!placed.delivered && now_ms >= placed.sent_ms + resend_ms) {
      placed.sent_ms = now_ms;
      effects_.push_back(Send{placed.node, net::Assign{placed.signed_assignment}});
    }
  }
}

void Requester::forget(const model::TaskTag& tag) {
  std::erase_if(ready_, [&](const model::Task& task) { return task.tag == tag; });
  accepted_.erase(tag);
  for (auto placed = placed_.begin(); placed != placed_.end();) {
    if (placed->second.task.tag != tag) {
      ++placed;
      continue;
    }
    effects_.push_back(Send{placed->second.node, net::CancelTask{placed->first}});
    if (const auto worker = workers_.find(placed->second.node); worker != workers_.end()) {
      worker->second.in_hand.erase(placed->first);
    }
    groups_.erase(placed->second.group);
    fetcher_->forget(placed->second.group);
    placed = placed_.erase(placed);
  }
}

void Requester::undo(uint64_t now_ms, std::span<const model::TaskId> voided) {
  const ledger::State& state = ledger_->state();
  const std::set<model::TaskId> ids(voided.begin(), voided.end());
  std::set<model::TaskTag> wrong;
  for (const auto& [tag, accepted] : accepted_) {
    const auto lease = state.leases.find(accepted.lease);
    const bool slashed =
        lease != state.leases.end() && lease->second.status == ledger::LeaseStatus::slashed;
    if (ids.contains(accepted.id) || state.voided.contains(accepted.id) ||
        (slashed && !state.claimed.contains(accepted.id))) {
      wrong.insert(tag);
    }
  }
  uint64_t undone = 0;
  std::vector<model::TaskTag> undone_tags;
  uint32_t first_round = UINT32_MAX;
  for (const model::TaskTag& tag : wrong) {
    for (const model::TaskTag& gone : planner_->annul(tag)) {
      undone += accepted_.contains(gone) ? 1 : 0;
      undone_tags.push_back(gone);
      first_round = std::min(first_round, planner_->round_of(gone).value_or(UINT32_MAX));
      forget(gone);
    }
  }
  (void)book_->forget(undone_tags);  // what stays there does not fit, in the next life
  std::vector<PublicKey> convicted;
  for (const auto& [node, worker] : workers_) {
    const auto lease = state.leases.find(worker.lease);
    if (lease != state.leases.end() && lease->second.status == ledger::LeaseStatus::slashed) {
      convicted.push_back(node);
    }
  }
  if (!wrong.empty()) {
    const uint32_t first = first_round == UINT32_MAX ? 0 : first_round;
    effects_.push_back(Tell{WorkVoided{undone, first, std::move(undone_tags)}});
  }
  for (const PublicKey& node : convicted) {
    lose(now_ms, node, 0);
  }
  plan_more(now_ms, {});
}

void Requester::tell_round(const plan::Milestone& milestone) {
  const auto bytes = blobs_->get(milestone.loss.data);
  float sum = 0;
  if (bytes.ok() && bytes->size() == sizeof sum) {
    std::memcpy(&sum, bytes->data(), sizeof sum);
  }
  const double loss = static_cast<double>(sum) / milestone.terms;
  const uint32_t round = milestone.round;
  effects_.push_back(Tell{RoundFinished{round, loss, round <= rounds_told_, planner_->rounds()}});
  rounds_told_ = std::max(rounds_told_, round);
}

void Requester::tell_finished() {
  JobFinished finished;
  const plan::JobResult result = planner_->result();
  for (const std::string& name : result.parameters) {
    const auto leaf = planner_->output(result.model, name);
    if (leaf.ok()) {
      finished.parameters.emplace_back(name, *leaf);
    }
  }
  if (result.evaluation) {
    const auto leaf = planner_->output(*result.evaluation, "correct");
    const auto bytes = leaf.ok() ? blobs_->get(leaf->data) : Result<Bytes>(leaf.error());
    if (bytes.ok() && bytes->size() == sizeof(int64_t)) {
      finished.correct = law::load_bits(law::DType::i64, *bytes, 0);
    }
    finished.test_images = result.test_images;
  }
  if (const auto table = planner_->table(); table.ok()) {
    finished.table = read_table(*table, *blobs_);
  }
  effects_.push_back(Tell{std::move(finished)});
}

Result<ReceiptParts> Requester::receipt_parts() const {
  if (!planner_->done()) {
    return refuse(Code::bad_plan, "the job is not done");
  }
  const auto output_of = [&](const model::TaskTag& tag) {
    const Accepted& accepted = accepted_.at(tag);
    ReceiptOutput output{accepted.id, {}};
    for (const model::TensorRef& leaf : accepted.leaves) {
      output.leaves.push_back(leaf.root);
    }
    return output;
  };
  ReceiptParts parts;
  const plan::JobResult result = planner_->result();
  parts.parameters = result.parameters;
  parts.model = output_of(result.model);
  if (result.evaluation) {
    parts.evaluation = output_of(*result.evaluation);
    parts.correct = TRY(blobs_->get(TRY(planner_->output(*result.evaluation, "correct")).data));
    parts.test_images = result.test_images;
  }
  return parts;
}

}  // namespace lockstep::node
