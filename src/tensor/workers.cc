// The thread pool. Parts are handed out by a counter, so results cannot depend on who runs them
// only because kernels cut their work without regard to the number of workers.
#include "tensor/workers.h"

#include <system_error>

#include "base/check.h"
#include "law/float_environment.h"

namespace lockstep::tensor {
namespace {

// About 20 to 50 microseconds: longer than the gap between two kernels of a step, much shorter
// than a scheduler's time slice.
constexpr int spins_before_sleep = 2000;
constexpr int spins_before_yield = 200;

constexpr uint64_t open_bit = uint64_t{1} << 15;
constexpr uint64_t inside_mask = open_bit - 1;
constexpr int run_shift = 16;
static_assert(threads_max < static_cast<int>(inside_mask));

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

Result<std::unique_ptr<ThreadPool>> ThreadPool::create(int threads) {
  if (threads < 1 || threads > threads_max) {
    return refuse(Code::out_of_range,
                  "a pool has 1 to " + std::to_string(threads_max) + " threads, not " +
                      std::to_string(threads));
  }
  std::unique_ptr<ThreadPool> pool(new ThreadPool(threads));
  if (!pool->start()) {
    return refuse(Code::internal, "a thread could not be started", "use fewer threads");
  }
  return pool;
}

bool ThreadPool::start() {
  try {
    threads_.reserve(static_cast<size_t>(count_));
    for (int worker = 1; worker < count_; ++worker) {
      threads_.emplace_back([this, worker] { serve(worker); });
    }
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

ThreadPool::~ThreadPool() {
  closing_.store(true);
  { const std::lock_guard<std::mutex> lock(mutex_); }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

uint64_t ThreadPool::wait_for_run(uint64_t seen) {
  const auto fresh = [this, seen]() -> uint64_t {
    const uint64_t gate = gate_.load();
    return (gate & open_bit) != 0 && (gate >> run_shift) != seen ? gate >> run_shift : 0;
  };
  for (int spin = 0; spin < spins_before_sleep && !closing_.load(); ++spin) {
    if (const uint64_t run = fresh(); run != 0) {
      return run;
    }
    pause();
  }
  // The sleeper counts itself before it looks again and run() opens the gate before it counts
  // sleepers; both are sequentially consistent, so one of them sees the other.
  sleepers_.fetch_add(1);
  uint64_t run = 0;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    wake_.wait(lock, [&] {
      run = fresh();
      return run != 0 || closing_.load();
    });
  }
  sleepers_.fetch_sub(1);
  return closing_.load() ? 0 : run;
}

bool ThreadPool::join(uint64_t run) {
  uint64_t gate = gate_.load();
  while ((gate >> run_shift) == run && (gate & open_bit) != 0) {
    if (gate_.compare_exchange_weak(gate, gate + 1)) {
      return true;
    }
  }
  return false;
}

void ThreadPool::take_parts(int worker) {
  const int64_t parts = parts_;
  for (int64_t part = next_part_.fetch_add(1); part < parts; part = next_part_.fetch_add(1)) {
    (*body_)(part, worker);
  }
}

void ThreadPool::serve(int worker) {
  const law::FloatEnvironment environment;
  uint64_t seen = 0;
  while (!closing_.load()) {
    const uint64_t run = wait_for_run(seen);
    if (run == 0) {
      continue;
    }
    seen = run;
    if (join(run)) {
      take_parts(worker);
      gate_.fetch_sub(1);
    }
  }
}

void ThreadPool::run(int64_t parts, const std::function<void(int64_t, int)>& body) {
  const law::FloatEnvironment environment;
  if (count_ == 1 || parts <= 1) {
    for (int64_t part = 0; part < parts; ++part) {
      body(part, 0);
    }
    return;
  }
  const uint64_t gate = gate_.load();
  CHECK((gate & (open_bit | inside_mask)) == 0);
  body_ = &body;
  parts_ = parts;
  next_part_.store(0);
  gate_.store((((gate >> run_shift) + 1) << run_shift) | open_bit);
  if (sleepers_.load() > 0) {
    { const std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
  take_parts(0);
  gate_.fetch_and(~open_bit);
  for (int spin = 0; (gate_.load() & inside_mask) != 0; ++spin) {
    if (spin < spins_before_yield) {
      pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace lockstep::tensor
