// The thread pool that kernels run on: spins briefly, then blocks. A pool of one runs inline.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tensor/kernel.h"

namespace lockstep::tensor {

inline constexpr int threads_max = 256;

/// The thread that calls run() is worker 0; count() - 1 threads wait for work. run() is called by
/// one thread at a time and never from inside a body. A thread that wakes late does not hold a run
/// up: run() waits only for those that took a part.
class ThreadPool final : public Workers {
 public:
  /// Errors: out_of_range unless 1 <= threads <= threads_max; internal when a thread cannot start.
  [[nodiscard]] static Result<std::unique_ptr<ThreadPool>> create(int threads);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int count() const override { return count_; }
  void run(int64_t parts, const std::function<void(int64_t, int)>& body) override;

 private:
  explicit ThreadPool(int threads) : count_(threads) {}
  [[nodiscard]] bool start();
  void serve(int worker);
  /// Waits for a run after `seen`; its number, or 0 when the pool closes.
  uint64_t wait_for_run(uint64_t seen);
  [[nodiscard]] bool join(uint64_t run);
  void take_parts(int worker);

  const int count_;
  // The run's number, whether it is open to joiners, and how many threads are inside: one word, so
  // that nobody enters a run that has been closed.
  std::atomic<uint64_t> gate_{0};
  std::atomic<int64_t> next_part_{0};
  // Written only while nobody is inside; published by gate_.
  const std::function<void(int64_t, int)>* body_ = nullptr;
  int64_t parts_ = 0;
  std::atomic<bool> closing_{false};
  std::atomic<int> sleepers_{0};
  std::mutex mutex_;  // guards nothing but the sleep itself
  std::condition_variable wake_;
  std::vector<std::thread> threads_;
};

}  // namespace lockstep::tensor
