// The real files and the real clock, and what this module's other files need of the operating
// system's: owned descriptors, errors with their reason, durable replacement.
#pragma once

#include <utility>

#include "env/clock.h"
#include "env/files.h"

namespace lockstep::platform {

class Files final : public env::Files {
 public:
  Result<Bytes> read(const std::string& path, size_t bytes_max) override;
  /// Durable when it returns. Also: disk_full.
  Result<void> write(const std::string& path, ByteView bytes) override;
};

class Clock final : public env::Clock {
 public:
  uint64_t now_ns() override;
};

/// An open file, closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  /// -1: none is open.
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool ok() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

/// A failed system call as an Error: disk_full or io_failed, with the reason that `number`, an
/// errno, stands for. `what` is what could not be done.
[[nodiscard]] Error system_error(int number, const std::string& what, const std::string& where);

/// Writes all of `bytes`. Errors: disk_full, io_failed.
Result<void> write_all(int descriptor, ByteView bytes, const std::string& where);

enum class Access : uint8_t { as_usual, owner_only };  // what the process's umask leaves; 0600

/// Writes beside the target, syncs, renames over it and syncs the folder, which must exist: after a
/// crash there are the old bytes or the new ones, and the new ones once it has returned. One writer
/// at a time. Errors: disk_full, io_failed.
Result<void> write_durably(const std::string& path, ByteView bytes, Access access);
/// Waits until nobody else has the lock of this file, which is made where there is none, and has it
/// while the descriptor lives. Errors: disk_full, io_failed.
Result<Descriptor> wait_for_lock(const std::string& path);
/// Makes what was created, renamed or deleted in a folder durable. Errors: io_failed.
Result<void> sync_folder(const std::string& folder);

}  // namespace lockstep::platform
