#include "platform/private_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "platform/files.h"

namespace lockstep::platform {
namespace {

/// The error that `errno` tells of.
Error failed(const std::string& what, const std::string& path) {
  const int number = errno;
  const std::string text = what + ": " + std::generic_category().message(number);
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return refuse(Code::disk_full, text, "make room on that disk (see: df -h)", path);
    case EACCES:
    case EPERM:
    case EROFS:
      return refuse(Code::not_permitted, text, "check owner and permissions (see: ls -ld)", path);
    default:
      return refuse(Code::io_failed, text, "check the disk", path);
  }
}

/// Nothing when it is ours alone.
Result<void> check_owner(const struct stat& about, const std::string& path, const char* mode) {
  if (about.st_uid != ::geteuid()) {
    return refuse(Code::not_permitted,
                  "it belongs to another user",
                  "run lockstep as that user, or: sudo chown $USER '" + path + "'",
                  path);
  }
  if ((about.st_mode & 077) != 0) {
    return refuse(Code::not_permitted,
                  "other users of this machine may read it",
                  std::string("run: chmod ") + mode + " '" + path + "'",
                  path);
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent.string();
}

/// Gives what was written beside the target the target's name.
Result<void> put_in_place(const std::string& partial, const std::string& path, Existing existing) {
  if (existing == Existing::replaced) {
    if (::rename(partial.c_str(), path.c_str()) != 0) {
      return failed("the file cannot be put in place", path);
    }
    return sync_folder(folder_of(path));
  }
  if (::link(partial.c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) {
      return refuse(Code::already_there,
                    "there is such a file already",
                    "choose another name, or move that file away",
                    path);
    }
    return failed("the file cannot be put in place", path);
  }
  return sync_folder(folder_of(path));
}

}  // namespace

Result<void> make_private_folder(const std::string& path) {
  for (size_t slash = path.find('/', 1); !path.empty(); slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      // A parent on a read-only disk is there already all the same.
      const Error why = failed("the folder cannot be made", part);
      if (::access(part.c_str(), F_OK) != 0) {
        return why;
      }
    }
    if (slash == std::string::npos) {
      break;
    }
  }
  return check_private_folder(path);
}

Result<void> check_private_folder(const std::string& path) {
  struct stat about = {};
  if (::stat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode)) {
    return refuse(Code::bad_folder, "there is no such folder", "check the path", path);
  }
  return check_owner(about, path, "700");
}

Result<Bytes> read_private_file(const std::string& path, size_t bytes_max) {
  // Not to wait for ever at a pipe that somebody has put there.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat about = {};
  if (!file.ok() && errno != ENOENT && errno != ENOTDIR) {
    return failed("the file cannot be read", path);
  }
  if (!file.ok() || ::fstat(file.number(), &about) != 0 || !S_ISREG(about.st_mode)) {
    return refuse(Code::file_not_found, "there is no such file", "check the path", path);
  }
  TRY(check_owner(about, path, "600"));
  Bytes bytes(bytes_max + 1);
  size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t count = ::read(file.number(), bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno != EINTR) {
      return failed("the file cannot be read", path);
    }
    if (count == 0) {
      break;
    }
    size += count > 0 ? static_cast<size_t>(count) : 0;
  }
  if (size > bytes_max) {
    return refuse(Code::too_large,
                  "the file is larger than " + std::to_string(bytes_max) + " bytes",
                  "check the path",
                  path);
  }
  bytes.resize(size);
  return bytes;
}

Result<crypto::SecretText> read_secret_line(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat about = {};
  if (!file.ok() && errno != ENOENT && errno != ENOTDIR) {
    return failed("the file cannot be read", path);
  }
  if (!file.ok() || ::fstat(file.number(), &about) != 0 ||
      (!S_ISREG(about.st_mode) && !S_ISFIFO(about.st_mode))) {
    return refuse(Code::file_not_found, "there is no such file", "check the path", path);
  }
  if (S_ISREG(about.st_mode)) {
    TRY(check_owner(about, path, "600"));
  }
  crypto::SecretText line;
  char letter = 0;
  while (true) {
    const ssize_t count = ::read(file.number(), &letter, 1);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return failed("the file cannot be read", path);
    }
    if (count == 0 || letter == '\n') {
      return line;
    }
    if (!line.add(letter)) {
      return refuse(
          Code::too_large,
          "the line is longer than " + std::to_string(crypto::SecretText::bytes_max) + " bytes",
          "put a shorter one into the file",
          path);
    }
  }
}

Result<void> write_private_file(const std::string& path, ByteView bytes, Existing existing) {
  const std::string partial = path + ".part." + std::to_string(::getpid());
  // One of this name is left over from a process that was killed and had our number.
  (void)::unlink(partial.c_str());
  const Descriptor file(
      ::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.ok()) {
    return failed("the file cannot be made", path);
  }
  Result<void> done = write_all(file.number(), bytes, path);
  if (done.ok() && ::fsync(file.number()) != 0) {
    done = failed("the file cannot be made durable", path);
  }
  if (done.ok()) {
    done = put_in_place(partial, path, existing);
  }
  (void)::unlink(partial.c_str());
  return done;
}

Result<std::vector<std::string>> files_in(const std::string& folder, const std::string& ending) {
  std::error_code wrong;
  std::vector<std::string> names;
  std::filesystem::directory_iterator at(folder, wrong);
  if (wrong) {
    return refuse(Code::bad_folder, "the folder cannot be read", "check the path", folder);
  }
  while (at != std::filesystem::directory_iterator()) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(ending) && at->is_regular_file(wrong)) {
      names.push_back(name);
    }
    at.increment(wrong);
    if (wrong) {
      return refuse(Code::bad_folder, "the folder cannot be read", "check the disk", folder);
    }
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace lockstep::platform
