// The file system of a folder, and whether it lies on a disk that turns.
#include <filesystem>

#include "device/parts.h"
#include "device/system_files.h"

namespace lockstep::device {
namespace {

using std::string_view;
namespace fs = std::filesystem;

/// The folder itself, or what is there of the way to it.
fs::path nearest(const std::string& folder) {
  std::error_code error;
  fs::path path = fs::absolute(folder, error).lexically_normal();
  while (!error && !fs::exists(path, error) && path.has_relative_path()) {
    error.clear();
    path = path.parent_path();
  }
  const fs::path real = fs::canonical(path, error);
  return error ? path : real;
}

/// In mountinfo blanks stand as \040.
std::string unescaped(string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("\\040")) {
      plain += ' ';
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

bool is_under(const std::string& path, const std::string& folder) {
  return folder == "/" || path == folder || path.starts_with(folder + "/");
}

/// "8:1" of the mount that holds the path: the last of the longest.
std::string device_of(const std::string& mounts, const std::string& path) {
  constexpr size_t device_field = 2;
  constexpr size_t point_field = 4;
  std::string device;
  size_t longest = 0;
  for (const string_view line : lines_of(mounts)) {
    const auto words = words_of(line);
    if (words.size() <= point_field) {
      continue;
    }
    const std::string point = unescaped(words[point_field]);
    if (is_under(path, point) && point.size() >= longest) {
      longest = point.size();
      device = words[device_field];
    }
  }
  return device;
}

}  // namespace

Disk find_disk(const Where& where) {
  const fs::path path = nearest(where.folder);
  Disk disk;
  disk.folder = path.string();
  std::error_code error;
  const fs::space_info space = fs::space(path, error);
  if (!error) {
    disk.total_bytes = space.capacity;
    disk.free_bytes = space.available;
  }
  const std::string mounts = read_text(where.proc + "/self/mountinfo").value_or("");
  const std::string device = device_of(mounts, disk.folder);
  if (device.empty()) {
    return disk;
  }
  const std::string folder = where.sys + "/dev/block/" + device;
  // A partition's queue is that of its disk, the folder above.
  auto turns = read_number(folder + "/queue/rotational");
  turns = turns ? turns : read_number(folder + "/../queue/rotational");
  if (turns) {
    disk.rotational = *turns != 0;
  }
  return disk;
}

}  // namespace lockstep::device
