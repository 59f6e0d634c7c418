// Bytes that wait to leave on one connection, handed out in pieces that fill records: small writes
// are gathered, large ones are not copied.
#pragma once

#include <algorithm>
#include <deque>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace lockstep::platform {

class SendQueue {
 public:
  explicit SendQueue(size_t record_bytes) : record_bytes_(record_bytes) {}

  void add(Bytes bytes) {
    if (!bytes.empty()) {
      size_ += bytes.size();
      pieces_.push_back(std::move(bytes));
    }
  }
  [[nodiscard]] size_t size() const { return size_; }

  /// What goes next; empty when nothing waits. Until it is taken, later calls begin with the same
  /// bytes.
  [[nodiscard]] ByteView front() {
    if (gathered_at_ == gathered_.size()) {
      if (pieces_.empty()) {
        return {};
      }
      const ByteView first = ByteView(pieces_.front()).subspan(front_at_);
      if (first.size() >= record_bytes_ || pieces_.size() == 1) {
        return first;
      }
      gather();
    }
    return ByteView(gathered_).subspan(gathered_at_);
  }

  /// The first `count` bytes of front() have left.
  void take(size_t count) {
    CHECK(count <= size_);
    size_ -= count;
    if (gathered_at_ < gathered_.size()) {
      gathered_at_ += count;
      CHECK(gathered_at_ <= gathered_.size());
      return;
    }
    advance(count);
  }

 private:
  void gather() {
    gathered_.clear();
    gathered_at_ = 0;
    while (!pieces_.empty() && gathered_.size() < record_bytes_) {
      const ByteView first = ByteView(pieces_.front()).subspan(front_at_);
      const size_t count = std::min(first.size(), record_bytes_ - gathered_.size());
      gathered_.insert(
          gathered_.end(), first.begin(), first.begin() + static_cast<std::ptrdiff_t>(count));
      advance(count);
    }
  }

  void advance(size_t count) {
    front_at_ += count;
    if (!pieces_.empty() && front_at_ == pieces_.front().size()) {
      pieces_.pop_front();
      front_at_ = 0;
    }
  }

  size_t record_bytes_;
  size_t size_ = 0;
  std::deque<Bytes> pieces_;
  size_t front_at_ = 0;  // of the first piece
  Bytes gathered_;       // goes before the pieces
  size_t gathered_at_ = 0;
};

}  // namespace lockstep::platform
