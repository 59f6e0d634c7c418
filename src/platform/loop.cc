#include "platform/loop.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::platform {
namespace {

namespace asio = boost::asio;

// Handlers of one turn: more wait for the next one, so that a turn ends however busy it is.
constexpr int turn_handlers_max = 256;
// Turns of deferred tasks alone, before sockets are looked at again.
constexpr int deferred_turns_max = 8;
// The wall clock may be set while we sleep: how long until that is noticed.
constexpr uint64_t nap_ms_max = 10'000;

template <class Clock>
uint64_t milliseconds_of() {
  const auto since = Clock::now().time_since_epoch();
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

/// Tasks by when they are due, earliest first.
class Queue {
 public:
  void add(uint64_t at_ms, Loop::Timer timer, Loop::Task task) {
    due_of_.emplace(timer, at_ms);
    tasks_.emplace(std::pair(at_ms, timer), std::move(task));
  }
  void cancel(Loop::Timer timer) {
    const auto found = due_of_.find(timer);
    if (found != due_of_.end()) {
      tasks_.erase(std::pair(found->second, timer));
      due_of_.erase(found);
    }
  }
  /// One that is due, and no newer than `newest`.
  std::optional<Loop::Task> take(uint64_t now_ms, Loop::Timer newest) {
    if (tasks_.empty() || tasks_.begin()->first.first > now_ms ||
        tasks_.begin()->first.second > newest) {
      return std::nullopt;
    }
    Loop::Task task = std::move(tasks_.begin()->second);
    due_of_.erase(tasks_.begin()->first.second);
    tasks_.erase(tasks_.begin());
    return task;
  }
  [[nodiscard]] std::optional<uint64_t> wait_ms(uint64_t now_ms) const {
    if (tasks_.empty()) {
      return std::nullopt;
    }
    const uint64_t due = tasks_.begin()->first.first;
    return due > now_ms ? due - now_ms : 0;
  }

 private:
  std::map<std::pair<uint64_t, Loop::Timer>, Loop::Task> tasks_;
  std::map<Loop::Timer, uint64_t> due_of_;
};

}  // namespace

class Loop::Impl {
 public:
  Impl() : work_(asio::make_work_guard(context_)), alarm_(context_), signals_(context_) {}

  void run() {
    while (!stopped_.exchange(false)) {
      take_turn();
    }
  }

  void stop() {
    stopped_ = true;
    asio::post(context_, [] {});
  }

  Timer add_timer(Queue& queue, uint64_t at_ms, Task task) {
    const Timer timer = ++last_timer_;
    queue.add(at_ms, timer, std::move(task));
    set_alarm();
    return timer;
  }

  void cancel(Timer timer) {
    wall_.cancel(timer);
    steady_.cancel(timer);
  }

  void on_signal(std::function<void(int)> task) {
    on_signal_ = std::move(task);
    boost::system::error_code failed;
    signals_.clear(failed);
    signals_.add(SIGINT, failed);
    signals_.add(SIGTERM, failed);
    wait_for_signal();
  }

  asio::io_context context_{1};
  Queue wall_, steady_;
  std::vector<Task> deferred_, at_end_;
  Task on_turn_;

 private:
  void take_turn() {
    if (deferred_.empty()) {
      if (at_end_.empty()) {  // else somebody asked for the end of a turn from outside of run()
        context_.run_one();
      }
      poll();
    } else {
      run_all(deferred_);
      if (++deferred_turns_ % deferred_turns_max == 0) {
        poll();
      }
    }
    if (on_turn_) {
      on_turn_();
    }
    run_all(at_end_);
  }

  void poll() {
    int count = 0;
    while (count < turn_handlers_max && context_.poll_one() != 0) {
      ++count;
    }
  }

  /// What the tasks add waits for the next time.
  void run_all(std::vector<Task>& tasks) {
    running_.swap(tasks);
    for (const Task& task : running_) {
      task();
    }
    running_.clear();
  }

  void run_due() {
    // What these tasks add waits for the next alarm.
    const Timer newest = last_timer_;
    const uint64_t steady_ms = monotonic_ms();
    while (const auto task = steady_.take(steady_ms, newest)) {
      (*task)();
    }
    const uint64_t wall_ms = now_ms();
    while (const auto task = wall_.take(wall_ms, newest)) {
      (*task)();
    }
    alarm_at_.reset();
    set_alarm();
  }

  void set_alarm() {
    const uint64_t now = monotonic_ms();
    auto wait = steady_.wait_ms(now);
    if (const auto wall = wall_.wait_ms(now_ms())) {
      wait = std::min(wait.value_or(*wall), *wall);
    }
    wait = wait ? std::optional(std::min(*wait, nap_ms_max)) : wait;
    if (!wait || (alarm_at_ && *alarm_at_ <= now + *wait)) {
      return;
    }
    alarm_at_ = now + *wait;
    // One more: waking a part of a millisecond early would find nothing due.
    const auto delay = std::chrono::milliseconds(*wait == 0 ? 0 : *wait + 1);
    alarm_.expires_after(delay);
    alarm_.async_wait([this](const boost::system::error_code& failed) {
      if (!failed) {
        run_due();
      }
    });
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& failed, int number) {
      if (!failed) {
        on_signal_(number);
        wait_for_signal();
      }
    });
  }

  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer alarm_;
  asio::signal_set signals_;
  std::function<void(int)> on_signal_;
  std::atomic<bool> stopped_{false};
  std::optional<uint64_t> alarm_at_;
  Timer last_timer_ = 0;
  uint64_t deferred_turns_ = 0;
  std::vector<Task> running_;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::run() {
  impl_->run();
}

void Loop::stop() {
  impl_->stop();
}

void Loop::post(Task task) {
  asio::post(impl_->context_, std::move(task));
}

void Loop::defer(Task task) {
  impl_->deferred_.push_back(std::move(task));
}

void Loop::on_turn(Task task) {
  impl_->on_turn_ = std::move(task);
}

void Loop::at_turn_end(Task task) {
  impl_->at_end_.push_back(std::move(task));
}

void Loop::on_signal(std::function<void(int)> task) {
  impl_->on_signal(std::move(task));
}

Loop::Timer Loop::call_at(uint64_t at_ms, Task task) {
  return impl_->add_timer(impl_->wall_, at_ms, std::move(task));
}

Loop::Timer Loop::call_after(uint64_t delay_ms, Task task) {
  const uint64_t now = monotonic_ms();
  const uint64_t at_ms = delay_ms > ~now ? ~uint64_t{0} : now + delay_ms;
  return impl_->add_timer(impl_->steady_, at_ms, std::move(task));
}

void Loop::cancel(Timer timer) {
  impl_->cancel(timer);
}

uint64_t Loop::now_ms() {
  return milliseconds_of<std::chrono::system_clock>();
}

uint64_t Loop::monotonic_ms() {
  return milliseconds_of<std::chrono::steady_clock>();
}

asio::io_context& Loop::context() {
  return impl_->context_;
}

}  // namespace lockstep::platform
