// Node processes: started apart from their parent, known by pid and start time, ended with
// patience.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "platform/view.h"

namespace lockstep::platform {

/// What to start, and how. All users of the machine can read `arguments`: a secret goes into
/// `input`.
struct Launch {
  std::string program;  // an absolute path
  std::vector<std::string> arguments;
  /// All that there is, beside PATH, LANG=C.UTF-8 and HOME=/nonexistent; nothing is inherited.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string log;             // standard output and error are appended to this file (0600)
  std::string pid_file;        // durable before the program's first instruction (0600)
  std::optional<Bytes> input;  // what it reads from standard input; never on disk, nor visible
  std::optional<View> view;    // without one it sees what its parent sees
};

class Process {
 public:
  /// Starts it in a session of its own: it outlives this process, has no terminal and no open file
  /// but its standard three, umask 077, and the signals' default actions. Its working folder is the
  /// view's own, or /. The program and the files that it is given need not be in the view. Returns
  /// once the program itself runs, or did not come to. Errors: in_use (the process in the pid file
  /// lives), not_permitted (namespaces are forbidden), bad_folder (a path of the view),
  /// file_not_found (no such program), disk_full, io_failed.
  static Result<Process> spawn(const Launch& launch);
  /// The process in a pid file, alive or not. Errors: file_not_found, io_failed (no such file, or
  /// it says something else).
  static Result<Process> find(const std::string& pid_file);
  /// This process itself.
  static Result<Process> self();

  [[nodiscard]] int pid() const { return pid_; }
  /// It, and not another that got its pid since; also false for one that nobody has waited for.
  [[nodiscard]] bool is_alive() const;
  /// SIGTERM, then SIGKILL if it lives after `grace_ms`. Returns when it is gone; true: by itself.
  /// One that is gone already is no error. Errors: not_permitted (another user's), io_failed.
  [[nodiscard]] Result<bool> terminate(int grace_ms) const;
  /// As pid files have it.
  [[nodiscard]] std::string text() const;

 private:
  Process(int pid, std::string start) : pid_(pid), start_(std::move(start)) {}
  static Result<Process> of_pid(int pid);
  int pid_;
  std::string start_;  // "ticks-since-boot boot-id": what tells two with one pid apart
};

}  // namespace lockstep::platform
