#include "sim/disk.h"

#include "codec/record.h"
#include "crypto/blake3.h"

namespace lockstep::sim {
namespace {

/// A batch as it stands in the journal, behind its length and before its checksum.
struct Entry {
  std::string key;
  std::optional<Bytes> value;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.value);
  }
};

Hash checksum(ByteView bytes) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 journal");
  return crypto::hash(mode, bytes);
}

Error is_down_error() {
  return refuse(Code::io_failed, "the disk is down", "restart the machine");
}

}  // namespace

Result<std::optional<Bytes>> Disk::get(const std::string& key) {
  if (down_) {
    return is_down_error();
  }
  const auto found = values_.find(key);
  return found == values_.end() ? std::optional<Bytes>() : std::optional<Bytes>(found->second);
}

Result<void> Disk::apply(std::vector<Change> batch) {
  if (down_) {
    return is_down_error();
  }
  std::vector<Entry> entries;
  entries.reserve(batch.size());
  for (const Change& change : batch) {
    entries.push_back({change.key, change.value});
  }
  const Bytes body = codec::encode(entries);
  codec::Writer record;
  record.string(ByteView(body));
  record.hash(checksum(body));
  const Bytes& bytes = record.bytes();
  if (armed_) {
    const size_t kept = armed_->between(0, bytes.size());
    journal_.insert(journal_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(kept));
    armed_.reset();
    down_ = true;
    return is_down_error();
  }
  journal_.insert(journal_.end(), bytes.begin(), bytes.end());
  for (Entry& entry : entries) {
    if (entry.value) {
      values_[entry.key] = std::move(*entry.value);
    } else {
      values_.erase(entry.key);
    }
  }
  return {};
}

void Disk::restart() {
  down_ = false;
  armed_.reset();
  replay();
}

void Disk::replay() {
  values_.clear();
  size_t whole = 0;
  codec::Reader reader(journal_);
  while (reader.left() > 0) {
    const auto body = reader.string(codec::field_bytes_max);
    const auto sum = body.ok() ? reader.hash() : Result<Hash>(body.error());
    if (!sum.ok() || checksum(*body) != *sum) {
      break;
    }
    const auto entries = codec::decode<std::vector<Entry>>(*body);
    if (!entries.ok()) {
      break;
    }
    for (const Entry& entry : *entries) {
      if (entry.value) {
        values_[entry.key] = *entry.value;
      } else {
        values_.erase(entry.key);
      }
    }
    whole = journal_.size() - reader.left();
  }
  journal_.resize(whole);
}

}  // namespace lockstep::sim
