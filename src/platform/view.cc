// Mount and user namespaces, capabilities, process limits.
#include "platform/view.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "platform/files.h"

namespace lockstep::platform {
namespace {

namespace fs = std::filesystem;

constexpr int capability_numbers_max = 64;

Error not_permitted(const std::string& why) {
  return refuse(Code::not_permitted,
                why,
                "allow user namespaces (sysctl user.max_user_namespaces, "
                "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), "
                "or run as root, or run without isolation");
}

Error not_permitted(const std::string& what, int number) {
  return not_permitted(system_error(number, what, {}).what);
}

bool is_within(const std::string& path, const std::string& folder) {
  return folder == "/" || path == folder ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

bool is_covered(const std::string& path, const View& view) {
  return std::any_of(view.covered.begin(), view.covered.end(), [&path](const std::string& cover) {
    return is_within(path, cover);
  });
}

Result<void> write_text(const char* path, std::string_view text) {
  const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file.ok()) {
    return system_error(errno, "cannot be written", path);
  }
  return write_all(
      file.number(), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, path);
}

/// A user stays who it is, alone in its namespace.
Result<void> map_ids(uid_t uid, gid_t gid) {
  const auto to_itself = [](unsigned id) {
    return std::to_string(id) + " " + std::to_string(id) + " 1\n";
  };
  TRY(write_text("/proc/self/setgroups", "deny"));
  TRY(write_text("/proc/self/uid_map", to_itself(uid)));
  return write_text("/proc/self/gid_map", to_itself(gid));
}

Result<void> leave_namespaces() {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  // A process that cannot be traced does not own its files in /proc, the maps of ids among them.
  if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
    return system_error(errno, "this process cannot be prepared", {});
  }
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) {
    const auto mapped = map_ids(uid, gid);
    if (!mapped.ok()) {
      return not_permitted(mapped.error().where + ": " + mapped.error().what);
    }
  } else if (uid != 0 || ::unshare(CLONE_NEWNS) != 0) {
    return not_permitted("this process cannot have a view of its own", errno);
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return not_permitted("mounts cannot be made private", errno);
  }
  return {};
}

bool is_folder(int descriptor) {
  struct stat found = {};
  return ::fstat(descriptor, &found) == 0 && S_ISDIR(found.st_mode);
}

Result<void> cover(const std::string& path) {
  std::error_code failed;
  const bool folder = fs::is_directory(path, failed);
  const int done = folder ? ::mount("none",
                                    path.c_str(),
                                    "tmpfs",
                                    MS_NOSUID | MS_NODEV | MS_NOEXEC,
                                    "size=64k,mode=0755")
                          : ::mount("/dev/null", path.c_str(), nullptr, MS_BIND, nullptr);
  if (done != 0) {
    return not_permitted(path + " cannot be covered", errno);
  }
  return {};
}

Result<void> make_read_only(const std::string& path) {
  struct statvfs now = {};
  if (::statvfs(path.c_str(), &now) != 0) {
    return system_error(errno, "cannot be made read-only", path);
  }
  // In a user namespace a flag that is set may not be dropped, and not saying it drops it.
  constexpr std::array<std::pair<unsigned long, unsigned long>, 6> kept = {{
      {ST_NOSUID, MS_NOSUID},
      {ST_NODEV, MS_NODEV},
      {ST_NOEXEC, MS_NOEXEC},
      {ST_NOATIME, MS_NOATIME},
      {ST_NODIRATIME, MS_NODIRATIME},
      {ST_RELATIME, MS_RELATIME},
  }};
  unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY;
  for (const auto& [is_set, flag] : kept) {
    flags |= (now.f_flag & is_set) != 0 ? flag : 0UL;
  }
  if (::mount(nullptr, path.c_str(), nullptr, flags, nullptr) != 0) {
    return not_permitted(path + " cannot be made read-only", errno);
  }
  return {};
}

/// A place that shows through the covers, opened before they come.
struct Window {
  std::string path;
  Descriptor source;
  bool read_only;
};

Result<std::vector<Window>> open_windows(const View& view) {
  std::vector<Window> windows;
  windows.reserve(view.readable.size() + 1);
  const auto open_one = [&windows](const std::string& path, bool read_only) -> Result<void> {
    Descriptor source(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!source.ok()) {
      return system_error(errno, "cannot be shown", path);
    }
    windows.push_back(Window{path, std::move(source), read_only});
    return {};
  };
  for (const std::string& path : view.readable) {
    TRY(open_one(path, true));
  }
  TRY(open_one(view.own, false));
  // Outer ones first: an inner one lies on top, and its mount point is there already.
  std::stable_sort(windows.begin(), windows.end(), [](const Window& a, const Window& b) {
    return a.path.size() < b.path.size();
  });
  return windows;
}

/// A mount point: on a cover there is nothing yet.
Result<void> make_place(const Window& window) {
  std::error_code failed;
  if (fs::exists(window.path, failed)) {
    return {};
  }
  const fs::path path(window.path);
  const bool folder = is_folder(window.source.number());
  fs::create_directories(folder ? path : path.parent_path(), failed);
  if (!failed && !folder) {
    const Descriptor made(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0444));
    failed = made.ok() ? failed : std::error_code(errno, std::generic_category());
  }
  if (failed) {
    return system_error(failed.value(), "cannot be shown", window.path);
  }
  return {};
}

Result<void> show(const Window& window) {
  const std::string source = "/proc/self/fd/" + std::to_string(window.source.number());
  if (::mount(source.c_str(), window.path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return not_permitted(window.path + " cannot be shown", errno);
  }
  return window.read_only ? make_read_only(window.path) : Result<void>();
}

/// For good: neither this process nor a program it starts, as root or not, gets any back.
Result<void> drop_capabilities() {
  for (int number = 0; number < capability_numbers_max; ++number) {
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0 && errno != EINVAL) {
      return system_error(errno, "capabilities cannot be dropped", {});
    }
  }
  struct {
    uint32_t version = 0x20080522;  // three sets of 64 bits
    int pid = 0;
  } header;
  const std::array<uint32_t, 6> none{};
  if (::syscall(SYS_capset, &header, none.data()) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return system_error(errno, "capabilities cannot be dropped", {});
  }
  return {};
}

Result<std::string> resolved_path(const std::string& path) {
  std::error_code failed;
  const fs::path found = fs::canonical(path, failed);
  if (failed || path.empty() || path.front() != '/') {
    return refuse(Code::bad_folder,
                  failed ? "cannot be part of a view: " + failed.message()
                         : std::string("is not an absolute path"),
                  "give a path that exists, from / on",
                  path);
  }
  return found.string();
}

Result<std::vector<std::string>> resolved_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> all;
  all.reserve(paths.size());
  for (const std::string& path : paths) {
    all.push_back(TRY(resolved_path(path)));
  }
  return all;
}

}  // namespace

Result<View> resolved(const View& view) {
  View found;
  found.own = TRY(resolved_path(view.own));
  found.covered = TRY(resolved_paths(view.covered));
  // Inner ones first: an outer one hides their paths, but what shows through has them on it.
  std::stable_sort(found.covered.begin(),
                   found.covered.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
  found.covered.erase(std::unique(found.covered.begin(), found.covered.end()), found.covered.end());
  found.readable = TRY(resolved_paths(view.readable));
  return found;
}

Result<void> enter(const View& view) {
  TRY(leave_namespaces());
  std::vector<Window> windows = TRY(open_windows(view));
  for (const std::string& path : view.covered) {
    TRY(cover(path));
  }
  for (const Window& window : windows) {
    if (is_covered(window.path, view)) {
      TRY(make_place(window));
    }
  }
  for (const Window& window : windows) {
    if (window.read_only || is_covered(window.path, view)) {
      TRY(show(window));
    }
  }
  std::error_code failed;
  for (const std::string& path : view.covered) {
    const bool is_window = std::any_of(
        windows.begin(), windows.end(), [&path](const Window& w) { return w.path == path; });
    if (!is_window && fs::exists(path, failed)) {
      TRY(make_read_only(path));
    }
  }
  windows.clear();
  if (::chdir(view.own.c_str()) != 0) {
    return system_error(errno, "cannot be entered", view.own);
  }
  return drop_capabilities();
}

Result<void> harden_process() {
  const rlimit none = {0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return system_error(errno, "this process cannot be protected", {});
  }
  return {};
}

}  // namespace lockstep::platform
