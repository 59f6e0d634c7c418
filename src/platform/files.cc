// Files and Clock, and the system calls behind them.
#include "platform/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace lockstep::platform {

Result<Bytes> Files::read(const std::string& path, size_t bytes_max) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    return refuse(Code::file_not_found, "there is no such file", "check the path", path);
  }
  const auto size = std::filesystem::file_size(path, failed);
  if (failed || size > bytes_max) {
    return refuse(Code::too_large,
                  "the file is larger than " + std::to_string(bytes_max) + " bytes",
                  {},
                  path);
  }
  std::ifstream in(path, std::ios::binary);
  Bytes bytes(size);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
  if (!in) {
    return refuse(Code::io_failed, "the file cannot be read", "check its permissions", path);
  }
  return bytes;
}

Result<void> Files::write(const std::string& path, ByteView bytes) {
  const std::filesystem::path target(path);
  std::error_code failed;
  if (target.has_parent_path()) {
    std::filesystem::create_directories(target.parent_path(), failed);
    if (failed) {
      return system_error(failed.value(), "its folder cannot be made", path);
    }
  }
  return write_durably(path, bytes, Access::as_usual);
}

uint64_t Clock::now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

void Descriptor::close() {
  if (ok()) {
    ::close(std::exchange(number_, -1));
  }
}

Error system_error(int number, const std::string& what, const std::string& where) {
  const std::string why = what + ": " + std::generic_category().message(number);
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return refuse(Code::disk_full, why, "make room on this disk; nothing stored is lost", where);
    case EROFS:
      return refuse(Code::io_failed, why, "remount it for writing, or use another folder", where);
    case EACCES:
    case EPERM:
      return refuse(Code::io_failed, why, "check who owns it and its permissions (ls -ld)", where);
    default:
      return refuse(Code::io_failed, why, "check the folder and the disk (dmesg, df)", where);
  }
}

Result<void> write_all(int descriptor, ByteView bytes, const std::string& where) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return system_error(written < 0 ? errno : EIO, "cannot be written", where);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return {};
}

Result<void> write_durably(const std::string& path, ByteView bytes, Access access) {
  const std::string partial = path + ".part";
  const mode_t mode = access == Access::owner_only ? 0600 : 0666;
  // A part left behind by a crash may have other permissions: it is never written into.
  ::unlink(partial.c_str());
  const Descriptor file(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!file.ok()) {
    return system_error(errno, "cannot be written", path);
  }
  Result<void> done = write_all(file.number(), bytes, path);
  if (done.ok() && ::fsync(file.number()) != 0) {
    done = system_error(errno, "cannot be made durable", path);
  }
  if (done.ok() && ::rename(partial.c_str(), path.c_str()) != 0) {
    done = system_error(errno, "cannot be put in place", path);
  }
  if (!done.ok()) {
    ::unlink(partial.c_str());
    return done;
  }
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return sync_folder(folder.empty() ? "." : folder);
}

Result<Descriptor> wait_for_lock(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  while (!file.ok() || ::flock(file.number(), LOCK_EX) != 0) {
    if (!file.ok() || errno != EINTR) {
      return system_error(errno, "a lock cannot be taken", path);
    }
  }
  return file;
}

Result<void> sync_folder(const std::string& folder) {
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.ok() || ::fsync(opened.number()) != 0) {
    return system_error(errno, "the folder cannot be made durable", folder);
  }
  return {};
}

}  // namespace lockstep::platform
