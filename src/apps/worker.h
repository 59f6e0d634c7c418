// The thread of a node's machine that runs tensor tasks, one after the other. A task for which
// there is not enough memory fails; the thread goes on.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "exec/tensor_runner.h"
#include "node/node.h"
#include "sim/cheat.h"

namespace lockstep::apps {

class Worker {
 public:
  struct Setup {
    tensor::Options engine;
    std::optional<sim::Cheat> cheat;  // of a demonstration's liar
  };
  /// Called on the worker's thread.
  using OnDone = std::function<void(node::WorkDone)>;
  /// Borrows the store and the clock, which must be safe for use by several threads.
  Worker(Setup setup, store::Blobs& blobs, env::Clock& clock, OnDone on_done);
  /// Waits for the work at hand and forgets what is queued.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Queues work; its program is copied. Never blocks.
  void start(node::RunTask work);
  /// Time that the engine has spent so far, in nanoseconds.
  [[nodiscard]] exec::Meter meter() const;

 private:
  struct Queued {
    model::ProgramRef program;
    node::RunTask work;
  };
  void run();
  /// Where memory runs out, once more without what the runner keeps of other tasks.
  node::WorkDone attempt(const node::RunTask& work);
  void renew_runner();
  [[nodiscard]] std::unique_ptr<Queued> next();

  store::Blobs* blobs_;
  std::optional<sim::Cheat> cheat_;
  env::Clock* clock_;
  tensor::Options engine_;
  std::optional<exec::TensorRunner> runner_;  // the thread's alone
  exec::Meter spent_;                         // by earlier runners
  OnDone on_done_;
  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<std::unique_ptr<Queued>> queue_;  // guarded by mutex_
  exec::Meter meter_;                          // guarded by mutex_
  bool stops_ = false;                         // guarded by mutex_
  std::thread thread_;
};

}  // namespace lockstep::apps
