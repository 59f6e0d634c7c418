// What a process may see of the file system: its own folder, and other places covered by nothing.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lockstep::platform {

/// Paths are absolute and must exist.
struct View {
  std::string own;  // a folder: read and write, also where it lies in a covered one
  std::vector<std::string> covered;   // folders are empty and read-only, files are empty
  std::vector<std::string> readable;  // read-only, also where they lie in a covered folder
};

/// The view with links resolved. Errors: bad_folder (which path).
Result<View> resolved(const View& view);

/// From now on this process, and what it starts, has a mount namespace of its own with this view,
/// which it cannot undo: it keeps no capability and cannot gain any. Without root, and as root
/// where allowed, it is in a user namespace of its own too, so that other processes of the same
/// user can neither be traced nor looked at through /proc. `view` is resolved. Only with one
/// thread. Errors: not_permitted (the kernel or its settings forbid namespaces: what to change),
/// io_failed. After an error the process must end: its view may be half made.
Result<void> enter(const View& view);

/// For every node's process, first thing in main, before keys are read: no core files, not dumpable
/// (nobody of the same user can trace it, nor see its memory or open files), no new privileges.
/// Errors: io_failed.
Result<void> harden_process();

}  // namespace lockstep::platform
