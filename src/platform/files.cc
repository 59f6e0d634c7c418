#include "platform/files.h"

#include <chrono>
#include <filesystem>
#include <fstream>

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
  const std::filesystem::path partial(path + ".part");
  std::error_code failed;
  if (target.has_parent_path()) {
    std::filesystem::create_directories(target.parent_path(), failed);
  }
  {
    std::ofstream out(partial, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()),
              static_cast<std::streamsize>(bytes.size()));
    out.flush();
    if (!out) {
      return refuse(
          Code::io_failed, "the file cannot be written", "check the folder and the disk", path);
    }
  }
  std::filesystem::rename(partial, target, failed);
  if (failed) {
    return refuse(
        Code::io_failed, "the file cannot be put in place: " + failed.message(), {}, path);
  }
  return {};
}

uint64_t Clock::now_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace lockstep::platform
