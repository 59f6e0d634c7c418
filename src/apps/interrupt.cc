#include "apps/interrupt.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction() is not in <csignal>

#include <csignal>

#include "apps/hints.h"

namespace lockstep::apps {
namespace {

// A signal handler reaches nothing else.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int /*signal*/) {
  interrupted = 1;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  // No SA_RESTART: a question that waits for its answer ends.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  (void)::sigaction(SIGINT, &action, nullptr);
}

bool is_interrupted() {
  return interrupted != 0;
}

Result<void> check_interrupt() {
  return is_interrupted() ? Result<void>(interrupted_at_once()) : Result<void>();
}

}  // namespace lockstep::apps
