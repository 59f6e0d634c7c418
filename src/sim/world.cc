// The event loop of a simulated network.
#include "sim/world.h"

#include <algorithm>

#include "base/check.h"
#include "law/roots.h"
#include "sim/machine.h"

namespace lockstep::sim {
namespace {

constexpr uint64_t us_per_ms = 1000;
constexpr size_t ledger_machine = 0;
constexpr size_t requester_machine = 1;
constexpr uint64_t armed_us_max = 500'000;  // an armed disk that is not written to
constexpr uint64_t linger_ms = 2000;        // after the job is settled

}  // namespace

void World::at(uint64_t at_us, size_t machine, decltype(Event::what) what) {
  queue_.push({at_us, order_++, machine, machines_[machine]->life, std::move(what)});
}

void World::send(size_t from, const node::Send& send) {
  const auto to = by_key_.find(send.to);
  if (to == by_key_.end()) {
    return;
  }
  const auto& sender = *machines_[from];
  for (const uint64_t when :
       network_.arrivals(now_us_, sender.name, machines_[to->second]->name, random_)) {
    at(when, to->second, std::pair(sender.key.public_key(), send.message));
  }
}

void World::start_work(size_t index, const node::RunTask& work) {
  Machine& machine = *machines_[index];
  uint64_t operations = work.task.operations;
  if (work.kind == node::WorkKind::trace) {
    operations = operations / work.task.steps * (uint64_t{work.step} + 1);
  }
  const uint64_t rate = std::max<uint64_t>(1, machine.operations_per_second / 1'000'000);
  const uint32_t factor = slowness(options_.faults, now_us_, machine.name);
  if (factor > 1) {
    counts_.fired(FaultPoint::node_slow);
  }
  machine.free_us = std::max(machine.free_us, now_us_) + operations / rate * factor;
  at(machine.free_us, index, work);
}

node::WorkDone World::do_work(Machine& machine, const node::RunTask& work) {
  using Outcome = std::variant<model::Execution, std::vector<Hash>, model::StepTrace>;
  const auto as_outcome = [](auto result) -> Result<Outcome> {
    if (!result.ok()) {
      return result.error();
    }
    return Outcome(std::move(result).value());
  };
  node::WorkDone done{work.id, Outcome()};
  switch (work.kind) {
    case node::WorkKind::execute:
      done.result = as_outcome(machine.runner->run(work.task));
      break;
    case node::WorkKind::steps:
      done.result = as_outcome(machine.runner->step_roots(work.task));
      break;
    case node::WorkKind::trace:
      done.result = as_outcome(machine.runner->trace(work.task, work.step));
      break;
  }
  if (machine.cheat) {
    const auto lied = machine.cheat->alter(work, done, *machine.blobs);
    if (!lied.ok()) {
      done.result = lied.error();
    }
  }
  return done;
}

void World::take(size_t index, Observer& observer) {
  Machine& machine = *machines_[index];
  std::deque<node::Effect> effects;
  const auto collect = [&] {
    node::Effects more = machine.node->take_effects();
    effects.insert(effects.begin(),
                   std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    return !machine.is_dead();
  };
  bool lives = collect();
  bool sent_any = false;
  while (lives && !effects.empty()) {
    node::Effect effect = std::move(effects.front());
    effects.pop_front();
    sent_any = sent_any || std::holds_alternative<node::Send>(effect);
    if (std::holds_alternative<node::FindProviders>(effect)) {  // answered at once
      machine.node->on_providers(clock_ms(machine), providers_);
      lives = collect();
    } else {
      carry_out(index, effect, observer);
    }
  }
  if (!lives) {
    kill(index, observer);  // it died inside this call: nothing of it gets out
    return;
  }
  if (machine.dies_sending && sent_any && machine.sends_left-- == 0) {
    count_crash(machine, true);
    kill(index, observer);
  }
}

void World::carry_out(size_t index, node::Effect& effect, Observer& observer) {
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    send(index, *sent);
  } else if (const auto* const timer = std::get_if<node::SetTimer>(&effect)) {
    at(timer_us(*machines_[index], timer->at_ms), index, *timer);
  } else if (const auto* const work = std::get_if<node::RunTask>(&effect)) {
    start_work(index, *work);
  } else if (const auto* const ask = std::get_if<node::AskOwner>(&effect)) {
    ask_owner(index, ask->transaction);
  } else if (auto* const tell = std::get_if<node::Tell>(&effect)) {
    if (index == requester_machine) {
      notice(tell->notice, observer);
    }
  }
}

/// Who asks for the same job again died before it had the answer: the owner gives the same one.
void World::ask_owner(size_t index, const model::Transaction& transaction) {
  const std::string& name = machines_[index]->name;
  if (!std::holds_alternative<model::OpenJob>(transaction)) {
    at(now_us_ + 1, index, owner_signs(name, transaction));
    return;
  }
  const Hash terms = crypto::hash(law::data_mode(), codec::encode(transaction));
  auto known = jobs_signed_.find(terms);
  if (known == jobs_signed_.end()) {
    known = jobs_signed_.emplace(terms, owner_signs(name, transaction)).first;
  }
  at(now_us_ + 1, index, known->second);
}

void World::notice(const node::Notice& notice, Observer& observer) {
  observer.on_notice(now_ms(), notice);
  if (const auto* const failed = std::get_if<node::JobFailed>(&notice)) {
    failed_ = failed->error;
  } else if (std::holds_alternative<node::JobOver>(notice)) {
    over_ = true;
    settled_ms_ = now_ms();
  } else if (const auto* const round = std::get_if<node::RoundFinished>(&notice)) {
    begin_round(round->round + 1, observer);
  }
}

void World::begin_round(uint32_t round, Observer& observer) {
  if (round <= rounds_begun_) {
    return;
  }
  rounds_begun_ = round;
  for (const CrashSpec& crash : options_.crashes) {
    if (crash.round != round) {
      continue;
    }
    const size_t index = by_key_.at(key_of(crash.provider).public_key());
    machines_[index]->restart_ms = crash.restart_ms;
    if (round == 1) {
      kill(index, observer);
      continue;
    }
    machines_[index]->disk.arm(Random(random_.next()));
    deadlines_.emplace_back(now_us_ + armed_us_max, index);
  }
}

void World::kill(size_t index, Observer& observer) {
  Machine& machine = *machines_[index];
  if (!machine.up) {
    return;
  }
  count_crash(machine, false);
  machine.disk.stop();
  machine.blob_disk.stop();
  machine.disk_faults.disarm();
  machine.dies_sending = false;
  machine.up = false;
  machine.life += 1;
  if (index == ledger_machine) {
    kept_state_ = sequencer().ledger().state();
  }
  machine.node.reset();
  if (index == ledger_machine) {
    sequencer_ = nullptr;
  } else if (index == requester_machine) {
    requester_ = nullptr;
  }
  observer.on_machine(now_ms(), machine.name, false);
  if (machine.restart_ms) {
    revivals_.emplace_back(now_us_ + *machine.restart_ms * us_per_ms, index);
    machine.restart_ms.reset();
  }
}

/// A machine whose disk has lost what its role cannot do without stays down.
Result<void> World::revive(size_t index, Observer& observer) {
  Machine& machine = *machines_[index];
  machine.disk.restart();
  machine.blob_disk.restart();
  auto node = make_node(machine);
  if (!node.ok()) {
    machine.disk.stop();
    machine.blob_disk.stop();
    const bool lost = node.error().code == Code::io_failed && index != ledger_machine;
    return lost ? Result<void>() : Result<void>(node.error());
  }
  machine.up = true;
  machine.free_us = now_us_;
  machine.node = std::move(node).value();
  if (index == ledger_machine) {
    tell_blocks(observer);  // it may have died right after it wrote one
    TRY(register_all());    // owners send again what stands in no block
  }
  machine.node->start(clock_ms(machine));
  observer.on_machine(now_ms(), machine.name, true);
  take(index, observer);
  if (index == ledger_machine) {
    tell_blocks(observer);  // it may have made the next one at once
  }
  return {};
}

void World::handle(Event event, Observer& observer) {
  Machine& machine = *machines_[event.machine];
  if (!machine.up || event.life != machine.life) {
    return;
  }
  if (auto* const message = std::get_if<std::pair<crypto::PublicKey, net::Message>>(&event.what)) {
    machine.node->on_message(clock_ms(machine), message->first, message->second);
  } else if (const auto* const timer = std::get_if<node::SetTimer>(&event.what)) {
    const uint64_t now = clock_ms(machine);
    if (now < timer->at_ms) {  // its clock was put right meanwhile
      at(timer_us(machine, timer->at_ms), event.machine, *timer);
      return;
    }
    machine.node->on_timer(now, timer->id);
  } else if (const auto* const work = std::get_if<node::RunTask>(&event.what)) {
    observer.on_run(machine.name, *work);
    machine.node->on_work(clock_ms(machine), do_work(machine, *work));
  } else if (const auto* const transaction = std::get_if<model::Signed>(&event.what)) {
    machine.node->on_signed(clock_ms(machine), *transaction);
  }
  take(event.machine, observer);
  if (event.machine == ledger_machine) {
    tell_blocks(observer);
  }
}

void World::tell_blocks(Observer& observer) {
  if (sequencer_ == nullptr || sequencer().height() == height_told_) {
    return;
  }
  const auto blocks = sequencer().blocks(height_told_ + 1, 1);
  height_told_ = sequencer().height();
  if (blocks.ok() && !blocks->empty()) {
    observer.on_block(now_ms(), blocks->front(), sequencer().ledger().state());
  }
}

/// One event, after the machines that die or come back before it.
Result<void> World::step(Observer& observer) {
  if (queue_.empty() || now_ms() > options_.time_limit_ms) {
    return refuse(Code::internal, "the network came to rest before the job was settled");
  }
  Event event = queue_.top();
  queue_.pop();
  now_us_ = std::max(now_us_, event.at_us);
  strike_due(observer);
  for (size_t i = 0; i < deadlines_.size(); ++i) {
    const auto [when, index] = deadlines_[i];
    const Machine& machine = *machines_[index];
    const bool armed =
        machine.disk.is_armed() || machine.disk_faults.is_armed() || machine.dies_sending;
    if (when <= now_us_ && armed) {
      kill(index, observer);
    }
  }
  std::erase_if(deadlines_, [&](const auto& entry) { return entry.first <= now_us_; });
  for (const auto& [when, index] : std::vector(revivals_)) {
    if (when <= now_us_) {
      TRY(revive(index, observer));
    }
  }
  std::erase_if(revivals_, [&](const auto& entry) { return entry.first <= now_us_; });
  handle(std::move(event), observer);
  return {};
}

bool World::goes_on() const {
  if (!settled_ms_ || options_.faults.empty()) {
    return !over_;
  }
  return sequencer_ == nullptr || requester_ == nullptr || !revivals_.empty() ||
         now_ms() < *settled_ms_ + linger_ms;
}

Result<void> World::run(Observer& observer) {
  for (size_t i = 0; i < machines_.size(); ++i) {
    machines_[i]->node->start(clock_ms(*machines_[i]));
    take(i, observer);
  }
  begin_round(1, observer);
  while (goes_on() && !failed_ && !observer.has_seen_enough()) {
    TRY(step(observer));
  }
  if (failed_) {
    return *failed_;
  }
  return {};
}

exec::Meter World::meter() const {
  exec::Meter sum;
  for (const auto& machine : machines_) {
    if (machine->runner) {
      sum.compute_ns += machine->runner->meter().compute_ns;
      sum.hash_ns += machine->runner->meter().hash_ns;
    }
  }
  return sum;
}

}  // namespace lockstep::sim
