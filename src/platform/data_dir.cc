// DataDir: checks, format file, lock.
#include "platform/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace lockstep::platform {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view format_text = "lockstep data 1\n";
constexpr std::string_view format_name = "format";
constexpr std::string_view lock_name = "lock";
constexpr size_t network_name_bytes_max = 64;

/// Makes a folder that only its owner sees, durably; one that is there stays as it is.
Result<void> make_folder(const std::string& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) {
    return sync_folder(fs::path(folder).parent_path().string());
  }
  std::error_code failed;
  const int reason = errno;
  // A parent on a read-only disk is refused before it is found to be there.
  if (reason != EEXIST && !fs::exists(folder, failed)) {
    return system_error(reason, "the folder cannot be made", folder);
  }
  return {};
}

Result<void> make_folders(const fs::path& folder) {
  fs::path so_far;
  for (const fs::path& part : folder) {
    so_far /= part;
    TRY(make_folder(so_far.string()));
  }
  return {};
}

Result<void> check_folder(const std::string& folder) {
  struct stat found = {};
  if (::stat(folder.c_str(), &found) != 0) {
    return system_error(errno, "the folder cannot be read", folder);
  }
  if (!S_ISDIR(found.st_mode)) {
    return refuse(Code::bad_folder, "this is no folder", "give another path", folder);
  }
  if (found.st_uid != ::geteuid()) {
    return refuse(Code::bad_folder,
                  "this folder belongs to another user",
                  "run as that user, or give another folder",
                  folder);
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse(Code::bad_folder,
                  "other users can write in this folder",
                  "chmod go-w '" + folder + "', if you trust what is in it",
                  folder);
  }
  return {};
}

/// Nothing but what an open() that crashed half-way leaves behind.
Result<bool> is_fresh(const std::string& folder) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string name = at->path().filename().string();
    if (name != lock_name && name != std::string(format_name) + ".part") {
      return false;
    }
  }
  if (failed) {
    return system_error(failed.value(), "the folder cannot be read", folder);
  }
  return true;
}

/// The one line in `path`, for people; empty when it cannot be read.
std::string line_of(const std::string& path) {
  const auto bytes = Files().read(path, 64);
  if (!bytes.ok()) {
    return {};
  }
  std::string text(bytes->begin(), bytes->end());
  text.erase(std::find(text.begin(), text.end(), '\n'), text.end());
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return printable ? text : std::string();
}

Result<Descriptor> lock_folder(const std::string& folder) {
  const std::string path = folder + "/" + std::string(lock_name);
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.ok()) {
    return system_error(errno, "the folder cannot be locked", folder);
  }
  if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return system_error(errno, "the folder cannot be locked", folder);
    }
    const std::string pid = line_of(path);
    return refuse(
        Code::in_use,
        (pid.empty() ? std::string("another process") : "process " + pid) + " is using this folder",
        pid.empty() ? "wait for it to end, or give another folder"
                    : "end it first (kill " + pid + "), or give another folder",
        folder);
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.number(), 0) != 0) {
    return system_error(errno, "the folder cannot be locked", folder);
  }
  TRY(write_all(file.number(), Bytes(pid.begin(), pid.end()), path));
  return file;
}

Result<void> check_format(const std::string& folder, bool fresh) {
  const std::string path = folder + "/" + std::string(format_name);
  if (fresh) {
    return write_durably(path, Bytes(format_text.begin(), format_text.end()), Access::owner_only);
  }
  const auto bytes = Files().read(path, 4096);
  if (bytes.ok() &&
      std::equal(bytes->begin(), bytes->end(), format_text.begin(), format_text.end())) {
    return {};
  }
  const std::string ours(format_text.substr(0, format_text.size() - 1));
  const std::string theirs = line_of(path);
  return refuse(Code::bad_folder,
                "this folder's format is " + (theirs.empty() ? "unknown" : "'" + theirs + "'") +
                    ", and this program reads '" + ours + "'",
                "use the program that wrote it, or give another folder",
                folder);
}

}  // namespace

Result<DataDir> DataDir::open(const std::string& folder) {
  std::error_code failed;
  const fs::path wanted = fs::absolute(folder, failed).lexically_normal();
  if (failed || folder.empty()) {
    return refuse(Code::bad_folder, "this is no path of a folder", "give another", folder);
  }
  TRY(make_folders(wanted));
  std::string path = fs::canonical(wanted, failed).string();
  if (failed) {
    return system_error(failed.value(), "the folder cannot be read", folder);
  }
  TRY(check_folder(path));
  // Looked at before anything is written: somebody's own folder stays as it is.
  const bool formatted = fs::exists(path + "/" + std::string(format_name), failed);
  if (!formatted && !TRY(is_fresh(path))) {
    return refuse(Code::bad_folder,
                  "this folder has other things in it",
                  "give an empty folder, or one that does not exist",
                  path);
  }
  Descriptor lock = TRY(lock_folder(path));
  // Another process may have written it before it let go of the lock.
  TRY(check_format(path, !fs::exists(path + "/" + std::string(format_name), failed)));
  DataDir opened(std::move(path), std::move(lock));
  for (const std::string& part : {opened.db(), opened.keys(), opened.logs(), opened.outputs()}) {
    TRY(make_folder(part));
  }
  return opened;
}

Result<uint64_t> disk_used(const std::string& folder) {
  std::error_code failed;
  struct stat found = {};
  uint64_t blocks = 0;
  fs::recursive_directory_iterator at(
      folder, fs::directory_options::skip_permission_denied, failed);
  for (const fs::recursive_directory_iterator end; !failed && at != end; at.increment(failed)) {
    if (::lstat(at->path().c_str(), &found) == 0) {
      blocks += static_cast<uint64_t>(found.st_blocks);
    }
  }
  // A folder inside that vanished while it was read ends the walk early; the next one sees the
  // rest.
  if (failed && failed != std::errc::no_such_file_or_directory) {
    return system_error(failed.value(), "the folder cannot be read", folder);
  }
  if (::lstat(folder.c_str(), &found) != 0) {
    return system_error(errno, "the folder cannot be read", folder);
  }
  return (blocks + static_cast<uint64_t>(found.st_blocks)) * 512;
}

Result<DiskRoom> disk_room(const std::string& folder, uint64_t bytes_max) {
  const uint64_t used = TRY(disk_used(folder));
  struct statvfs disk = {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return system_error(errno, "the disk cannot be asked", folder);
  }
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  return DiskRoom{used, used < bytes_max ? std::min(bytes_max - used, free) : 0};
}

Result<std::string> default_network_folder(const std::string& network) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  if (network.empty() || network.size() > network_name_bytes_max || network.front() == '.' ||
      !std::all_of(network.begin(), network.end(), allowed)) {
    return refuse(Code::bad_option,
                  "this is no name of a network",
                  "use 1 to 64 letters, digits, '-', '_' and '.'",
                  network);
  }
  const char* const data = std::getenv("XDG_DATA_HOME");  // NOLINT(concurrency-mt-unsafe)
  if (data != nullptr && data[0] == '/') {
    return std::string(data) + "/lockstep/" + network;
  }
  const char* const home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  if (home == nullptr || home[0] != '/') {
    return refuse(Code::bad_folder, "no home folder is known", "set HOME, or name a folder");
  }
  return std::string(home) + "/.local/share/lockstep/" + network;
}

}  // namespace lockstep::platform
