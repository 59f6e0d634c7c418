#include "apps/worker.h"

#include <new>

#include "node/work.h"

namespace lockstep::apps {

Worker::Worker(Setup setup, store::Blobs& blobs, env::Clock& clock, OnDone on_done)
    : blobs_(&blobs),
      cheat_(std::move(setup.cheat)),
      clock_(&clock),
      engine_(setup.engine),
      runner_(std::in_place, blobs, clock, setup.engine),
      on_done_(std::move(on_done)),
      thread_([this] { run(); }) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
    queue_.clear();
  }
  wakes_.notify_one();
  thread_.join();
}

void Worker::start(node::RunTask work) {
  auto queued = std::make_unique<Queued>();
  queued->program = *work.task.program;
  queued->work = std::move(work);
  queued->work.task.program = &queued->program;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(queued));
  }
  wakes_.notify_one();
}

exec::Meter Worker::meter() const {
  const std::lock_guard lock(mutex_);
  return meter_;
}

std::unique_ptr<Worker::Queued> Worker::next() {
  std::unique_lock lock(mutex_);
  wakes_.wait(lock, [&] { return stops_ || !queue_.empty(); });
  if (stops_) {
    return nullptr;
  }
  auto queued = std::move(queue_.front());
  queue_.pop_front();
  return queued;
}

void Worker::renew_runner() {
  const exec::Meter last = runner_->meter();
  spent_.compute_ns += last.compute_ns;
  spent_.hash_ns += last.hash_ns;
  runner_.reset();  // before another one is made: that is what gives memory back
  runner_.emplace(*blobs_, *clock_, engine_);
}

node::WorkDone Worker::attempt(const node::RunTask& work) {
  constexpr int tries = 2;
  for (int i = 0; i < tries; ++i) {
    try {
      return node::do_work(*runner_, work);
    } catch (const std::bad_alloc&) {
      renew_runner();
    }
  }
  return {work.id,
          refuse(Code::no_offer,
                 "the task takes more memory than this machine lends",
                 "choose a machine that lends more")};
}

void Worker::run() {
  while (const auto queued = next()) {
    node::WorkDone done = attempt(queued->work);
    if (cheat_) {
      const auto lied = cheat_->alter(queued->work, done, *blobs_);
      if (!lied.ok()) {
        done.result = lied.error();
      }
    }
    {
      const std::lock_guard lock(mutex_);
      meter_ = runner_->meter();
      meter_.compute_ns += spent_.compute_ns;
      meter_.hash_ns += spent_.hash_ns;
    }
    on_done_(std::move(done));
  }
}

}  // namespace lockstep::apps
