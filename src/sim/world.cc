// The event loop of a simulated network.
#include "sim/world.h"

#include <algorithm>

#include "base/check.h"
#include "law/roots.h"
#include "sim/machine.h"

namespace lockstep::sim {
namespace {

constexpr uint64_t us_per_ms = 1000;
constexpr uint64_t armed_us_max = 500'000;  // an armed disk that is not written to

}  // namespace

void World::at(uint64_t at_us, size_t machine, decltype(Event::what) what) {
  queue_.push({at_us, order_++, machine, machines_[machine]->life, std::move(what)});
}

void World::send(size_t from, const node::Send& send) {
  const auto to = by_key_.find(send.to);
  if (to == by_key_.end()) {
    return;
  }
  const NetworkFaults& faults = options_.network;
  const uint64_t delay = random_.between(faults.delay_us_min, faults.delay_us_max);
  if (faults.loss_millionths > 0 && random_.chance(faults.loss_millionths)) {
    return;
  }
  at(now_us_ + delay, to->second, std::pair(machines_[from]->key.public_key(), send.message));
}

void World::start_work(size_t index, const node::RunTask& work) {
  Machine& machine = *machines_[index];
  uint64_t operations = work.task.operations;
  if (work.kind == node::WorkKind::trace) {
    operations = operations / work.task.steps * (uint64_t{work.step} + 1);
  }
  const uint64_t rate = std::max<uint64_t>(1, machine.operations_per_second / 1'000'000);
  machine.free_us = std::max(machine.free_us, now_us_) + operations / rate;
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
  node::Effects effects = machine.node->take_effects();
  if (machine.disk.is_down()) {
    kill(index, observer);  // it died inside this call: nothing of it gets out
    return;
  }
  for (node::Effect& effect : effects) {
    if (const auto* const sent = std::get_if<node::Send>(&effect)) {
      send(index, *sent);
    } else if (const auto* const timer = std::get_if<node::SetTimer>(&effect)) {
      at(std::max(timer->at_ms * us_per_ms, now_us_ + 1), index, timer->id);
    } else if (const auto* const work = std::get_if<node::RunTask>(&effect)) {
      start_work(index, *work);
    } else if (const auto* const ask = std::get_if<node::AskOwner>(&effect)) {
      at(now_us_ + 1, index, owner_signs(machine.name, ask->transaction));
    } else if (auto* const tell = std::get_if<node::Tell>(&effect)) {
      if (machine.node.get() == requester_) {
        notice(tell->notice, observer);
      }
    }
  }
}

void World::notice(const node::Notice& notice, Observer& observer) {
  observer.on_notice(now_ms(), notice);
  if (const auto* const failed = std::get_if<node::JobFailed>(&notice)) {
    failed_ = failed->error;
  } else if (std::holds_alternative<node::JobOver>(notice)) {
    over_ = true;
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
  machine.disk.stop();
  machine.up = false;
  machine.life += 1;
  machine.node.reset();
  observer.on_machine(now_ms(), machine.name, false);
  if (machine.restart_ms) {
    revivals_.emplace_back(now_us_ + *machine.restart_ms * us_per_ms, index);
    machine.restart_ms.reset();
  }
}

Result<void> World::revive(size_t index) {
  Machine& machine = *machines_[index];
  machine.disk.restart();
  machine.up = true;
  machine.free_us = now_us_;
  machine.node = TRY(node::Provider::create(
      {genesis_, {machine.key, machine.owner}, machine.table, secret_of(0, machine.name + "/salt")},
      *machine.blobs,
      machine.disk));
  machine.node->start(now_ms());
  return {};
}

void World::handle(Event event, Observer& observer) {
  Machine& machine = *machines_[event.machine];
  if (!machine.up || event.life != machine.life) {
    return;
  }
  if (auto* const message = std::get_if<std::pair<crypto::PublicKey, net::Message>>(&event.what)) {
    machine.node->on_message(now_ms(), message->first, message->second);
  } else if (const auto* const timer = std::get_if<uint64_t>(&event.what)) {
    machine.node->on_timer(now_ms(), *timer);
  } else if (const auto* const work = std::get_if<node::RunTask>(&event.what)) {
    machine.node->on_work(now_ms(), do_work(machine, *work));
  } else if (const auto* const transaction = std::get_if<model::Signed>(&event.what)) {
    machine.node->on_signed(now_ms(), *transaction);
  }
  take(event.machine, observer);
}

Result<void> World::run(Observer& observer) {
  for (size_t i = 0; i < machines_.size(); ++i) {
    machines_[i]->node->start(now_ms());
    take(i, observer);
  }
  begin_round(1, observer);
  while (!over_ && !failed_) {
    if (queue_.empty() || now_ms() > options_.time_limit_ms) {
      return refuse(Code::internal, "the network came to rest before the job was settled");
    }
    Event event = queue_.top();
    queue_.pop();
    now_us_ = std::max(now_us_, event.at_us);
    for (size_t i = 0; i < deadlines_.size(); ++i) {
      const auto [when, index] = deadlines_[i];
      if (when <= now_us_ && machines_[index]->disk.is_armed()) {
        kill(index, observer);
      }
    }
    std::erase_if(deadlines_, [&](const auto& entry) { return entry.first <= now_us_; });
    for (const auto& [when, index] : std::vector(revivals_)) {
      if (when <= now_us_) {
        TRY(revive(index));
        observer.on_machine(now_ms(), machines_[index]->name, true);
        take(index, observer);
      }
    }
    std::erase_if(revivals_, [&](const auto& entry) { return entry.first <= now_us_; });
    handle(std::move(event), observer);
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
