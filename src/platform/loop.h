// The one thread of a process that waits: sockets, timers, signals and work from other threads.
// It goes in turns: everything that is ready, then on_turn() once, then what was put to its end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace lockstep::platform {

/// Not safe between threads, but for post() and stop(). Callbacks run inside run() only, and must
/// not throw.
class Loop {
 public:
  using Task = std::function<void()>;
  /// Never used again; 0 is no timer.
  using Timer = uint64_t;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Takes turns until stop(). May be called again after it returned.
  void run();
  /// From any thread: run() returns after the turn that is under way, or at once if it has yet to
  /// be called.
  void stop();
  /// From any thread: `task` runs in a coming turn.
  void post(Task task);
  /// On the loop's own thread, and cheaper: `task` runs at the beginning of the next turn.
  void defer(Task task);
  /// What happens once at the end of every turn: the host syncs its store and lets effects out.
  void on_turn(Task task);
  /// Once, after on_turn() of this turn: when all that it sends has been gathered.
  void at_turn_end(Task task);
  /// SIGINT or SIGTERM came. Until this is called they end the process as always.
  void on_signal(std::function<void(int)> task);

  /// Not before `at_ms` of now_ms(), however the clock is set meanwhile.
  Timer call_at(uint64_t at_ms, Task task);
  /// After so much time, whatever the wall clock says.
  Timer call_after(uint64_t delay_ms, Task task);
  /// The timer's task does not run any more. Nothing for one that ran or was cancelled.
  void cancel(Timer timer);

  /// Node time: milliseconds since 1970 by this machine's wall clock.
  [[nodiscard]] static uint64_t now_ms();
  /// Milliseconds since an arbitrary start; never goes back.
  [[nodiscard]] static uint64_t monotonic_ms();

  /// For the parts of platform/ that own sockets.
  [[nodiscard]] boost::asio::io_context& context();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::platform
