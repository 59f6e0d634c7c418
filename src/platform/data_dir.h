// A node's folder: one process at a time, one format, nobody else's business. And where a network's
// folder lies unless the user says otherwise.
#pragma once

#include <cstdint>
#include <string>

#include "platform/files.h"

namespace lockstep::platform {

class DataDir {
 public:
  /// Makes the folder (0700, missing parents too) unless it is there, and holds it until this
  /// object dies. Errors: in_use (another process holds it: which one, and what to do), bad_folder
  /// (of another format, not a Lockstep folder and not empty, not ours, or others can write in it),
  /// disk_full, io_failed.
  static Result<DataDir> open(const std::string& folder);
  [[nodiscard]] const std::string& path() const { return path_; }  // absolute, links resolved
  // These folders exist, 0700.
  [[nodiscard]] std::string db() const { return path_ + "/db"; }
  [[nodiscard]] std::string keys() const { return path_ + "/keys"; }
  [[nodiscard]] std::string logs() const { return path_ + "/logs"; }
  [[nodiscard]] std::string outputs() const { return path_ + "/outputs"; }

 private:
  DataDir(std::string path, Descriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  Descriptor lock_;
};

/// Bytes on disk of everything under a folder, links not followed; what vanishes meanwhile does not
/// count. Reads every entry: for now and then. Errors: io_failed.
Result<uint64_t> disk_used(const std::string& folder);

struct DiskRoom {
  uint64_t used = 0;
  uint64_t left = 0;  // under the bound, and on the disk itself; 0: take nothing more in
};
/// Errors: io_failed.
Result<DiskRoom> disk_room(const std::string& folder, uint64_t bytes_max);

/// ($XDG_DATA_HOME or ~/.local/share)/lockstep/<network>; nothing is made. The name is 1 to 64
/// letters, digits, '-', '_' or '.', and does not begin with '.'. Reads the environment: before any
/// thread. Errors: bad_option (the name), bad_folder (no home folder is known).
Result<std::string> default_network_folder(const std::string& network);

}  // namespace lockstep::platform
