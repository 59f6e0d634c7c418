// A provider's day: messages and timers, quotes, and which assignments it takes.
#include <algorithm>

#include "base/check.h"
#include "node/provider_impl.h"

namespace lockstep::node {
namespace {

constexpr uint64_t tick_timer = 1;
const std::string task_pins = "task-";  // and the task's id in hex

Error closed_now() {
  return refuse(Code::wrong_state,
                "the owner lends this machine at other hours",
                "wait, or choose another machine");
}

}  // namespace

Provider::Provider(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Provider::~Provider() = default;

Result<std::unique_ptr<Provider>> Provider::create(Setup setup,
                                                   store::Blobs& blobs,
                                                   env::KeyValue& secrets) {
  std::unique_ptr<Provider> provider(new Provider(nullptr));
  provider->impl_ = std::make_unique<Impl>(std::move(setup), blobs, secrets, provider->effects_);
  Impl& impl = *provider->impl_;
  impl.network = model::network_id(impl.setup.genesis);
  impl.ledger.emplace(TRY(LedgerClient::create(
      impl.setup.genesis, impl.setup.identity.key, provider->effects_, &secrets)));
  TRY(impl.restore());
  return provider;
}

void Provider::start(uint64_t now_ms) {
  impl_->start(now_ms);
}
void Provider::on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) {
  impl_->message(now_ms, from, message);
}
void Provider::on_timer(uint64_t now_ms, uint64_t id) {
  if (id == tick_timer) {
    impl_->tick(now_ms);
  }
}
void Provider::on_work(uint64_t now_ms, WorkDone done) {
  impl_->work_done(now_ms, std::move(done));
}
const LedgerClient& Provider::ledger() const {
  return *impl_->ledger;
}

void Provider::set_open(bool open) {
  impl_->set_open(open);
}
bool Provider::is_open() const {
  return impl_->open;
}

void Provider::on_signed(uint64_t /*now_ms*/, const model::Signed& /*transaction*/) {}

Result<void> Provider::Impl::restore() {
  for (KeptTask& kept : TRY(book.load())) {
    HeldTask task;
    task.assignment = TRY(codec::decode<model::Assignment>(kept.assignment.body));
    const auto receipt = TRY(codec::decode<model::Receipt>(kept.receipt.body));
    task.input_root = receipt.input_root;
    task.output_root = receipt.output_root;
    task.stage = HeldTask::Stage::delivered;
    task.place = next_place++;
    task.kept = std::move(kept);
    const model::TaskId id = model::task_id(task.kept.assignment);
    to_deliver.insert(id);
    to_claim[task.place] = id;
    tasks.insert_or_assign(id, std::move(task));
  }
  // What was in hand in an earlier life is not any more. Where the store fails it keeps too much.
  std::set<std::string> kept_pins;
  for (const auto& [id, task] : tasks) {
    kept_pins.insert(pin_name(id));
  }
  const auto pinned = blobs.store().pins(task_pins);
  for (const std::string& name : pinned.ok() ? *pinned : std::vector<std::string>()) {
    if (!kept_pins.contains(name)) {
      (void)blobs.store().unpin(name);
    }
  }
  return {};
}

std::string Provider::Impl::pin_name(const model::TaskId& id) {
  return task_pins + to_hex(id.hash.view());
}

Result<void> Provider::Impl::pin(const model::TaskId& id,
                                 const model::Assignment& assignment,
                                 const std::vector<model::TensorRef>& outputs) {
  const judge::Registered* program = ledger->state().programs.find(assignment.program);
  CHECK(program != nullptr);  // check() found it
  std::vector<Hash> addresses = blobs_of(assignment, *program);
  addresses.reserve(addresses.size() + outputs.size());
  for (const model::TensorRef& output : outputs) {
    addresses.push_back(output.data);
  }
  return blobs.store().pin(pin_name(id), std::move(addresses));
}

void Provider::Impl::start(uint64_t now) {
  for (auto& [id, task] : tasks) {
    task.delivered_ms = now;
  }
  ledger->start(now);
  take_up(now);
  effects->push_back(SetTimer{now + LedgerClient::tick_ms, tick_timer});
}

void Provider::Impl::tick(uint64_t now) {
  ledger->tick(now);
  blobs.tick(now);
  tell_alive(now);
  deliver_due(now);
  claim_due(now);
  drop_final();
  // What runs now may put blobs that are to be pinned when it is done.
  if (!running) {
    (void)blobs.store().tidy();
  }
  pump(now);
  effects->push_back(SetTimer{now + LedgerClient::tick_ms, tick_timer});
}

void Provider::Impl::message(uint64_t now, const PublicKey& from, const net::Message& message) {
  std::visit(
      [&](const auto& body) {
        if constexpr (requires { on(now, from, body); }) {
          on(now, from, body);
        }
      },
      message);
  pump(now);
}

void Provider::Impl::pump(uint64_t now) {
  if (ledger->has_heard()) {
    open_salts(now);
    defend(now);
  }
  blobs_moved();
  start_work();
}

void Provider::Impl::send(const PublicKey& to, net::Message message) {
  effects->push_back(Send{to, std::move(message)});
}

void Provider::Impl::decline(const PublicKey& to, const model::TaskId& task, const Error& error) {
  send(to, net::Decline{task, error.message()});
}

// ---- quotes and small talk

void Provider::Impl::on(uint64_t now, const PublicKey& from, const net::AskQuote& /*ask*/) {
  if (!open) {
    return;
  }
  const Machine& machine = setup.machine;
  // Blocks come on demand, so the ledger's time may be an old one.
  const uint64_t time = std::max(now, ledger->time_ms());
  const model::Quote quote{setup.identity.owner,
                           machine.name,
                           machine.price_per_unit,
                           machine.operations_per_second,
                           machine.memory_bytes,
                           machine.cpus,
                           machine.device_class,
                           machine.region,
                           time + quote_ms};
  const model::Context context{network, model::SignedKind::quote, quotes++};
  send(from, net::GiveQuote{model::sign(setup.identity.key, context, codec::encode(quote))});
}

void Provider::Impl::on(uint64_t now, const PublicKey& /*from*/, const net::Blocks& blocks) {
  for (const LedgerNews& one : ledger->on_blocks(now, blocks)) {
    news(now, one);
  }
  retry_early(now);
}

void Provider::Impl::on(uint64_t now, const PublicKey& from, const net::AskBlob& ask) {
  blobs.on_ask(now, from, ask);
}

void Provider::Impl::on(uint64_t now, const PublicKey& from, const net::GiveBlob& give) {
  blobs.on_give(now, from, give);
}

void Provider::Impl::tell_alive(uint64_t now) {
  if (alive_sent_ms && now - *alive_sent_ms < alive_ms) {
    return;
  }
  alive_sent_ms = now;
  for (const auto& [id, held] : leases) {
    if (takes_work(id)) {
      send(ledger->state().jobs.at(lease_of(id)->job).terms.requester, net::Alive{id});
    }
  }
}

// ---- assignments

void Provider::Impl::on(uint64_t now, const PublicKey& from, const net::Assign& assign) {
  take_assignment(now, from, assign);
}

const ledger::Lease* Provider::Impl::lease_of(const model::LeaseId& id) const {
  const auto& all = ledger->state().leases;
  const auto found = all.find(id);
  return found == all.end() ? nullptr : &found->second;
}

bool Provider::Impl::takes_work(const model::LeaseId& id) const {
  const ledger::Lease* lease = lease_of(id);
  if (lease == nullptr || lease->status != ledger::LeaseStatus::open) {
    return false;
  }
  const auto job = ledger->state().jobs.find(lease->job);
  return job != ledger->state().jobs.end() && job->second.status == ledger::JobStatus::open;
}

/// Whether the work is this node's, paid, and what the law says it costs; its input root.
Result<Hash> Provider::Impl::check(const model::Assignment& assignment,
                                   const PublicKey& signer) const {
  const ledger::State& state = ledger->state();
  const ledger::Lease* lease = lease_of(assignment.lease);
  if (lease == nullptr || lease->node != ledger->self()) {
    return refuse(Code::not_allowed, "the lease is not this provider's");
  }
  if (lease->job != assignment.job || !takes_work(assignment.lease)) {
    return refuse(Code::wrong_state, "the lease is not open, or of another job");
  }
  const ledger::Job& job = state.jobs.at(lease->job);
  if (job.terms.requester != signer) {
    return refuse(Code::not_allowed, "the assignment is not signed by the job's requester");
  }
  const judge::Registered* program = state.programs.find(assignment.program);
  if (program == nullptr ||
      std::find(job.terms.programs.begin(), job.terms.programs.end(), assignment.program) ==
          job.terms.programs.end()) {
    return refuse(Code::not_registered, "the program is none of the job's");
  }
  TRY(judge::check_work(*program, assignment));
  for (const model::AssignedLeaf& leaf : assignment.leaves) {
    if (leaf.source && state.voided.contains(leaf.source->task)) {
      return refuse(Code::wrong_state, "the task reads from void work");
    }
  }
  if (job.counted_operations > job.terms.operations ||
      assignment.operations > job.terms.operations - job.counted_operations) {
    return refuse(Code::low_funds, "the job's escrow does not cover the task");
  }
  return judge::input_root(*program, assignment.leaves);
}

Result<void> Provider::Impl::check_capacity(uint64_t now, const PublicKey& requester) const {
  if (!open) {
    return closed_now();
  }
  // Each requester by itself: else one that does not sign would keep the others' work away.
  const auto in_hand = std::count_if(tasks.begin(), tasks.end(), [&](const auto& entry) {
    return entry.second.stage != HeldTask::Stage::delivered &&
           entry.second.requester() == requester;
  });
  if (static_cast<size_t>(in_hand) >= tasks_in_hand_max) {
    return refuse(Code::wrong_state, "too many tasks in hand", "wait for a delivery");
  }
  if (unsigned_tasks(requester) >= unsigned_tasks_max) {
    return refuse(Code::wrong_state,
                  "too many delivered tasks without a voucher",
                  "read the outputs and sign for them");
  }
  if (unbacked_tasks(now, requester) > 0) {
    return refuse(Code::wrong_state,
                  "work was done on sources that nobody claims",
                  "see that what tasks read is claimed");
  }
  return blobs.store().check_room(1);
}

/// An upper bound: a task leaves no more than it was given, as its leaves are its state.
uint64_t Provider::Impl::disk_need(const model::Assignment& assignment) const {
  const judge::Registered* program = ledger->state().programs.find(assignment.program);
  CHECK(program != nullptr);  // check() found it
  uint64_t bytes = 0;
  for (const law::Leaf& leaf : program->program.leaves) {
    bytes += 2 * static_cast<uint64_t>(leaf.shape.bytes());
  }
  for (const law::Constant& constant : program->program.constants) {
    bytes += static_cast<uint64_t>(constant.shape.bytes());
  }
  return bytes;
}

Result<void> Provider::Impl::check_fit(const model::Assignment& assignment) const {
  if (!setup.slice) {
    return {};
  }
  // They run one after the other, so that only the disk is shared with those in hand.
  place::InUse used;
  for (const auto& [id, task] : tasks) {
    if (task.stage != HeldTask::Stage::delivered) {
      used.disk_bytes += disk_need(task.assignment);
    }
  }
  place::TaskNeed need;
  need.disk_bytes = disk_need(assignment);
  if (setup.memory_need) {
    const judge::Registered* program = ledger->state().programs.find(assignment.program);
    CHECK(program != nullptr);  // check() found it
    need.memory_bytes = TRY(setup.memory_need(program->program, assignment.steps));
  }
  return place::fits(*setup.slice, used, need);
}

void Provider::Impl::set_open(bool now_open) {
  open = now_open;
  if (open) {
    return;
  }
  // Somebody else may do them meanwhile.
  std::vector<model::TaskId> waiting;
  for (const auto& [id, task] : tasks) {
    if (task.stage == HeldTask::Stage::fetching || task.stage == HeldTask::Stage::ready) {
      waiting.push_back(id);
    }
  }
  for (const model::TaskId& id : waiting) {
    give_back(id, closed_now());
  }
}

void Provider::Impl::take_assignment(uint64_t now,
                                     const PublicKey& from,
                                     const net::Assign& assign) {
  const model::Signed& assignment = assign.assignment;
  const model::TaskId id = model::task_id(assignment);
  const auto held = tasks.find(id);
  if (held != tasks.end() && held->second.requester() == from) {
    held->second.cancelled = false;
    if (held->second.stage == HeldTask::Stage::delivered) {
      to_deliver.insert(id);
      deliver(now, held->second);
    }
    return;
  }
  const auto body =
      model::open<model::Assignment>(assignment, network, model::SignedKind::assignment);
  if (!body.ok() || assignment.signer != from) {
    decline(from,
            id,
            body.ok() ? refuse(Code::bad_signature, "signed by somebody else") : body.error());
    return;
  }
  if (lease_of(body->lease) == nullptr) {
    // The requester may be a block ahead. Those who flood this only push out one another.
    if (early.size() >= early_assignments_max) {
      early.pop_front();
    }
    early.push_back({from, assign, body->lease});
    return;
  }
  const Result<Hash> root = check(*body, from);
  if (!root.ok()) {
    decline(from, id, root.error());
    return;
  }
  Result<void> capacity = check_capacity(now, from);
  capacity = capacity.ok() ? check_fit(*body) : capacity;
  if (!capacity.ok()) {
    decline(from, id, capacity.error());
    return;
  }
  HeldTask task;
  task.assignment = *body;
  task.input_root = *root;
  hold(now, assign, std::move(task));
}

void Provider::Impl::hold(uint64_t now, const net::Assign& assign, HeldTask task) {
  const model::TaskId id = model::task_id(assign.assignment);
  const Result<void> pinned = pin(id, task.assignment, {});
  if (!pinned.ok()) {
    decline(assign.assignment.signer, id, pinned.error());
    return;
  }
  const judge::Registered* program = ledger->state().programs.find(task.assignment.program);
  CHECK(program != nullptr);  // check() found it
  task.kept.assignment = assign.assignment;
  task.group = next_group++;
  groups[task.group] = id;
  blobs.fetch(now, task.group, blobs_of(task.assignment, *program), task.requester());
  tasks.insert_or_assign(id, std::move(task));
  take_hints(now, assign.hints);
}

/// Hints may be wrong or malicious: so many are looked at, and every piece is checked.
void Provider::Impl::take_hints(uint64_t now, const std::vector<net::BlobHint>& hints) {
  for (size_t i = 0; i < std::min(hints.size(), net::hints_max); ++i) {
    const auto& holders = hints[i].holders;
    for (size_t j = 0; j < std::min(holders.size(), net::hint_holders_max); ++j) {
      if (holders[j] != ledger->self()) {
        blobs.add_holder(now, hints[i].address, holders[j]);
      }
    }
  }
}

void Provider::Impl::retry_early(uint64_t now) {
  std::vector<EarlyAssignment> known;
  for (EarlyAssignment& one : std::exchange(early, {})) {
    if (lease_of(one.lease) == nullptr) {
      early.push_back(std::move(one));
    } else {
      known.push_back(std::move(one));
    }
  }
  for (const EarlyAssignment& one : known) {
    take_assignment(now, one.from, one.assign);
  }
}

void Provider::Impl::on(uint64_t /*now*/, const PublicKey& from, const net::CancelTask& cancel) {
  std::erase_if(early, [&](const EarlyAssignment& one) {
    return one.from == from && model::task_id(one.assign.assignment) == cancel.task;
  });
  const auto found = tasks.find(cancel.task);
  if (found == tasks.end() || found->second.requester() != from) {
    return;
  }
  HeldTask& task = found->second;
  if (task.stage == HeldTask::Stage::fetching || task.stage == HeldTask::Stage::ready) {
    drop({cancel.task});
  } else {
    // It ran: what was delivered is claimed still, but not sent again.
    task.cancelled = true;
    to_deliver.erase(cancel.task);
    write_off_later(task);
  }
}

}  // namespace lockstep::node
