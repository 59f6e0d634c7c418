#include "apps/worker.h"

#include "node/work.h"

namespace lockstep::apps {

Worker::Worker(Setup setup, store::Blobs& blobs, env::Clock& clock, OnDone on_done)
    : blobs_(&blobs),
      cheat_(std::move(setup.cheat)),
      runner_(blobs, clock, setup.engine),
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

void Worker::run() {
  while (const auto queued = next()) {
    node::WorkDone done = node::do_work(runner_, queued->work);
    if (cheat_) {
      const auto lied = cheat_->alter(queued->work, done, *blobs_);
      if (!lied.ok()) {
        done.result = lied.error();
      }
    }
    {
      const std::lock_guard lock(mutex_);
      meter_ = runner_.meter();
    }
    on_done_(std::move(done));
  }
}

}  // namespace lockstep::apps
